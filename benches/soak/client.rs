//! The clients that live in the harness, and the processes that hold those which are killed.

use std::io::{self, BufRead, BufReader, ErrorKind};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::harness::Orders;
use crate::story::Story;

const PATIENCE: Duration = Duration::from_secs(30);

/// What a client sends first.
pub(crate) fn hello(number: u64, greeting: u8) -> Vec<u8> {
    [&number.to_be_bytes()[..], &[greeting]].concat()
}

/// Connects, and waits for the greeting: from then on the server knows the number.
pub(crate) async fn greeted(address: &str, number: u64) -> io::Result<TcpStream> {
    let mut socket = TcpStream::connect(address).await?;
    socket.write_all(&hello(number, 1)).await?;
    let mut greeting = [0];
    socket.read_exact(&mut greeting).await?;
    if greeting == *b"h" {
        Ok(socket)
    } else {
        Err(io::Error::new(ErrorKind::InvalidData, "another greeting"))
    }
}

/// Lives one story to its end.
pub(crate) async fn live(
    story: Story,
    address: String,
    number: u64,
    orders: Orders,
) -> io::Result<()> {
    timeout(PATIENCE, live_on(story, address, number, orders)).await?
}

async fn live_on(story: Story, address: String, number: u64, orders: Orders) -> io::Result<()> {
    let mut socket = greeted(&address, number).await?;
    if let Some(command) = story.command() {
        socket.write_all(&[command]).await?;
    }
    match story {
        Story::Goodbye => {
            answered(&mut socket, b"g").await?;
            ended(&mut socket).await
        }
        Story::BetweenRequests => answered(&mut socket, b"r").await,
        Story::Reset => SockRef::from(&socket).set_linger(Some(Duration::ZERO)),
        Story::Aborted => {
            orders.give(&format!("abort {number}"));
            ended(&mut socket).await
        }
        Story::Superseded => {
            orders.give(&format!("supersede {number}"));
            ended(&mut socket).await
        }
        Story::Panicking | Story::Garbage | Story::Idle => ended(&mut socket).await,
        Story::WithoutGoodbye => Ok(()),
        Story::Killed | Story::KilledWithUnreadBytes | Story::Held => {
            unreachable!("lived elsewhere")
        }
    }
}

async fn answered(socket: &mut TcpStream, answer: &[u8; 1]) -> io::Result<()> {
    let mut bytes = [0];
    socket.read_exact(&mut bytes).await?;
    if bytes == *answer {
        Ok(())
    } else {
        Err(io::Error::new(ErrorKind::InvalidData, "another answer"))
    }
}

/// A clean end: what goes wrong in the server's log must not become a reset here.
pub(crate) async fn ended(socket: &mut TcpStream) -> io::Result<()> {
    match socket.read(&mut [0]).await? {
        0 => Ok(()),
        _ => Err(io::Error::new(ErrorKind::InvalidData, "more bytes")),
    }
}

/// Opens connections in a process of their own, and kills it.
pub(crate) fn kill(addresses: &[String], numbers: &[u64]) -> io::Result<()> {
    let numbers: Vec<String> = numbers.iter().map(u64::to_string).collect();
    let mut holder = Command::new(std::env::current_exe()?)
        .args(["hold", &addresses.join(","), &numbers.join(",")])
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut word = String::new();
    let output = holder.stdout.take().expect("piped");
    BufReader::new(output).read_line(&mut word)?;
    holder.kill()?;
    holder.wait()?;
    if word == "holding\n" {
        Ok(())
    } else {
        Err(io::Error::other("a holder failed"))
    }
}
