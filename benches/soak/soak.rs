//! A soak: a server process under real connections that end in every way, one line each, the right one.
//!
//! Three kinds of process: the harness, which knows what each line must be; the server, which logs; and
//! holders of client sockets, which are killed. `benches/soak.sh` runs it.

#[cfg(target_os = "linux")]
mod client;
#[cfg(target_os = "linux")]
mod gauge;
#[cfg(target_os = "linux")]
mod harness;
#[cfg(target_os = "linux")]
mod holder;
#[cfg(target_os = "linux")]
mod ledger;
#[cfg(target_os = "linux")]
mod server;
#[cfg(target_os = "linux")]
mod story;
#[cfg(target_os = "linux")]
#[path = "../../tests/support/words.rs"]
mod words;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["serve"] => server::run(),
        ["hold", addresses, numbers] => holder::run(addresses, numbers),
        [] => harness::run(100_000, 10.0),
        [connections] if connections.parse::<u64>().is_ok() => {
            harness::run(connections.parse().expect("a number"), 10.0)
        }
        [connections, minutes]
            if connections.parse::<u64>().is_ok() && minutes.parse::<f64>().is_ok() =>
        {
            let connections = connections.parse().expect("a number");
            harness::run(connections, minutes.parse().expect("a number"))
        }
        _ => {
            eprintln!("usage: soak [CONNECTIONS] [MINUTES]");
            std::process::ExitCode::from(2)
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("the soak reads /proc, so it runs on Linux alone");
}
