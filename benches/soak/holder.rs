//! Holds client sockets until it is killed.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::ExitCode;

use crate::client::hello;
use crate::story::Story;

pub(crate) fn run(addresses: &str, numbers: &str) -> ExitCode {
    let addresses: Vec<&str> = addresses.split(',').collect();
    let mut held = Vec::new();
    for (at, number) in numbers.split(',').enumerate() {
        let number: u64 = number.parse().expect("a number");
        let address = addresses[at % addresses.len()];
        let mut socket = TcpStream::connect(address).expect("connected");
        let greeting = Story::of(number).greeting();
        socket.write_all(&hello(number, greeting)).expect("written");
        // The rest of the greeting came in the same packet, and is never read.
        socket.read_exact(&mut [0]).expect("greeted");
        held.push(socket);
    }
    println!("holding");
    // Until it is killed, or the harness is gone.
    let _ = std::io::stdin().read(&mut [0]);
    ExitCode::SUCCESS
}
