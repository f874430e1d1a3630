//! Starts the server, lives the clients' stories at an even pace, and judges the log.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, ExitCode, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::client::{ended, greeted, kill, live};
use crate::gauge::{descriptors, median, resident_kib};
use crate::ledger::{Ledger, SHOWN};
use crate::server::FULL_EVERY;
use crate::story::{HELD, Story};

/// How long the server may take to end, and each connection with it.
const PATIENCE: Duration = Duration::from_secs(30);

/// So many sockets die with one process.
const BATCH: usize = 50;

/// The server's standard input.
#[derive(Debug, Clone)]
pub(crate) struct Orders(Arc<Mutex<Option<ChildStdin>>>);

impl Orders {
    pub(crate) fn give(&self, order: &str) {
        let mut input = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(input) = &mut *input {
            // A server that is gone shows in its lines.
            let _ = writeln!(input, "{order}");
        }
    }

    fn end(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

struct Soak {
    server: Child,
    addresses: Vec<String>,
    orders: Orders,
    answers: Receiver<u64>,
    readers: Vec<thread::JoinHandle<()>>,
    ledger: Arc<Ledger>,
    /// Open descriptors and tasks of the server before the first connection.
    at_start: (usize, u64),
    started: Instant,
    resident: Vec<u64>,
    stopped_early: bool,
}

pub(crate) fn run(connections: u64, minutes: f64) -> ExitCode {
    let runtime = tokio::runtime::Runtime::new().expect("runtime");
    let mut soak = Soak::start(connections);
    let pace = Duration::from_secs_f64(minutes * 60.0);
    runtime.block_on(soak.live(connections, pace));
    let left = soak.settle();
    runtime.block_on(soak.shut_down(connections));
    if soak.judge(left) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

impl Soak {
    fn start(connections: u64) -> Self {
        let mut server = Command::new(std::env::current_exe().expect("this program"))
            .arg("serve")
            .process_group(0) // Ctrl-C is the harness's
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("started");
        let ledger = Arc::new(Ledger::new(connections));
        let orders = Orders(Arc::new(Mutex::new(server.stdin.take())));
        let mut log = BufReader::new(server.stdout.take().expect("piped")).lines();
        let first = log.next().expect("a line").expect("readable");
        let first: Value = serde_json::from_str(&first).expect("JSON");
        let addresses = first["listening"].as_array().expect("addresses");
        let addresses = addresses
            .iter()
            .map(|address| address.as_str().expect("text").to_owned())
            .collect();
        let (answer, answers) = mpsc::channel();
        let to = Arc::clone(&ledger);
        let logged = thread::spawn(move || {
            for line in log.map_while(Result::ok) {
                match serde_json::from_str::<Value>(&line) {
                    Ok(value) if value["tasks"].is_u64() => {
                        let _ = answer.send(value["tasks"].as_u64().unwrap_or(0));
                    }
                    Ok(value) => to.line(&line, &value),
                    Err(error) => to.trouble(format!("no JSON ({error}): {line}")),
                }
            }
        });
        let errors = BufReader::new(server.stderr.take().expect("piped")).lines();
        let to = Arc::clone(&ledger);
        let reported = thread::spawn(move || {
            for line in errors.map_while(Result::ok) {
                match line.split_once("panicked, lost: ") {
                    Some((_, end)) => to.lost(end),
                    None => to.trouble(format!("on standard error: {line}")),
                }
            }
        });
        let mut soak = Self {
            server,
            addresses,
            orders,
            answers,
            readers: vec![logged, reported],
            ledger,
            at_start: (0, 0),
            started: Instant::now(),
            resident: Vec::new(),
            stopped_early: false,
        };
        soak.at_start = soak.held();
        soak
    }

    /// Descriptors and tasks of the server.
    fn held(&self) -> (usize, u64) {
        self.orders.give("tasks");
        let tasks = self.answers.recv_timeout(Duration::from_secs(10));
        (descriptors(self.server.id()), tasks.unwrap_or(u64::MAX))
    }

    /// Makes the connections, evenly over the time.
    async fn live(&mut self, connections: u64, pace: Duration) {
        let mut tick = tokio::time::interval(Duration::from_millis(20));
        let (mut next, mut sampled, mut shown) = (0, 0, 0);
        let (mut clients, mut batch) = (JoinSet::new(), Vec::new());
        let at_once = Arc::new(Semaphore::new(500));
        let mut interrupted = std::pin::pin!(tokio::signal::ctrl_c());
        while next < connections {
            tokio::select! {
                _ = tick.tick() => {}
                _ = &mut interrupted => {
                    self.stopped_early = true;
                    break;
                }
            }
            while clients.try_join_next().is_some() {}
            let passed = self.started.elapsed();
            #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation)]
            #[allow(clippy::cast_sign_loss)] // a share of a count
            let due = (connections as f64 * passed.as_secs_f64() / pace.as_secs_f64()) as u64;
            while next < due.min(connections) {
                self.begin(next, &mut clients, &mut batch, &at_once);
                next += 1;
            }
            if passed.as_millis() / 250 > sampled {
                sampled = passed.as_millis() / 250;
                self.resident.push(resident_kib(self.server.id()));
            }
            if passed.as_secs() / 5 > shown {
                shown = passed.as_secs() / 5;
                self.show(connections);
            }
        }
        if !batch.is_empty() {
            self.begin_killing(std::mem::take(&mut batch), &mut clients);
        }
        while clients.join_next().await.is_some() {}
    }

    fn begin(
        &self,
        number: u64,
        clients: &mut JoinSet<()>,
        batch: &mut Vec<u64>,
        at_once: &Arc<Semaphore>,
    ) {
        let story = Story::of(number);
        if story.is_killed() {
            batch.push(number);
            if batch.len() == BATCH {
                self.begin_killing(std::mem::take(batch), clients);
            }
            return;
        }
        let at = usize::try_from(number).expect("fits") % self.addresses.len();
        let (address, orders) = (self.addresses[at].clone(), self.orders.clone());
        let (ledger, at_once) = (Arc::clone(&self.ledger), Arc::clone(at_once));
        clients.spawn(async move {
            let _permit = at_once.acquire().await.expect("open");
            ledger.made(number);
            if let Err(error) = live(story, address, number, orders).await {
                ledger.trouble(format!("client {number}, {}: {error}", story.name()));
            }
        });
    }

    fn begin_killing(&self, batch: Vec<u64>, clients: &mut JoinSet<()>) {
        let (addresses, ledger) = (self.addresses.clone(), Arc::clone(&self.ledger));
        clients.spawn_blocking(move || {
            for &number in &batch {
                ledger.made(number);
            }
            if let Err(error) = kill(&addresses, &batch) {
                ledger.trouble(format!("holder of {batch:?}: {error}"));
            }
        });
    }

    fn show(&self, connections: u64) {
        let (made, lines, lost) = self.ledger.counts();
        let seconds = self.started.elapsed().as_secs();
        let resident = self.resident.last().copied().unwrap_or(0);
        println!(
            "{seconds:>4} s  {made} of {connections} made, {lines} lines, {lost} lost, {resident} KiB"
        );
    }

    /// Waits until the server is as it was before, and returns what it holds then.
    fn settle(&mut self) -> (usize, u64) {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let held = self.held();
            let (made, lines, lost) = self.ledger.counts();
            let is_done = held == self.at_start && lines + lost >= made;
            if is_done || Instant::now() > deadline {
                return held;
            }
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Shuts the server down under connections that are open.
    async fn shut_down(&mut self, connections: u64) {
        let mut held: Vec<TcpStream> = Vec::new();
        for number in connections..connections + HELD {
            let at = usize::try_from(number).expect("fits") % self.addresses.len();
            match greeted(&self.addresses[at], number).await {
                Ok(socket) => {
                    self.ledger.made(number);
                    held.push(socket);
                }
                Err(error) => self.ledger.trouble(format!("client {number}: {error}")),
            }
        }
        self.orders.end();
        for socket in &mut held {
            match timeout(PATIENCE, ended(socket)).await {
                Ok(Ok(())) => {}
                result => self.ledger.trouble(format!("at the shutdown: {result:?}")),
            }
        }
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            match self.server.try_wait() {
                Ok(None) if Instant::now() < deadline => thread::sleep(Duration::from_millis(50)),
                status => break status,
            }
        };
        if !matches!(&status, Ok(Some(status)) if status.success()) {
            self.ledger.trouble(format!("the server ended: {status:?}"));
            let _ = self.server.kill();
        }
        for reader in self.readers.drain(..) {
            reader.join().expect("no panic");
        }
    }

    /// Prints the summary, and returns whether all is well.
    fn judge(&self, left: (usize, u64)) -> bool {
        let (rows, wrong) = self.ledger.verdict();
        let (made, lines, lost) = self.ledger.counts();
        println!(
            "\n{:<32}{:>12}{:>12}{:>12}",
            "story", "made", "lines", "lost"
        );
        for row in rows {
            let name = row.story.name();
            println!(
                "{name:<32}{:>12}{:>12}{:>12}",
                row.made, row.lines, row.lost
            );
        }
        println!("{:<32}{made:>12}{lines:>12}{lost:>12}", "all");
        let seconds = self.started.elapsed().as_secs();
        println!("\nseconds                         {seconds:>12}");

        let (warm, at_end, is_flat) = self.memory(made);
        let (descriptors, tasks) = self.at_start;
        println!("resident KiB, warm and at the end {warm:>10}{at_end:>12}");
        println!("descriptors, start and end {descriptors:>17}{:>12}", left.0);
        println!("tasks, start and end       {tasks:>17}{:>12}", left.1);
        let lost_as_planned = lost == made / FULL_EVERY;
        println!("wrong                           {:>12}", wrong.len());
        for text in wrong.iter().take(SHOWN) {
            println!("  {}", text.chars().take(76).collect::<String>());
        }
        let checks = [
            (wrong.is_empty(), "lines or clients were wrong"),
            (
                lost_as_planned,
                "the full disk cost another number of lines",
            ),
            (is_flat, "the memory grew"),
            (left == self.at_start, "descriptors or tasks are left"),
        ];
        for (_, text) in checks.iter().filter(|(is_well, _)| !is_well) {
            println!("FAILED: {text}");
        }
        if self.stopped_early {
            println!("stopped early");
        }
        checks.iter().all(|(is_well, _)| *is_well)
    }

    /// Resident memory after the first fifth and in the last, and whether it grew by no more than 10 bytes a
    /// connection and some noise: one cause that stays is 200 bytes.
    fn memory(&self, made: u64) -> (u64, u64, bool) {
        if self.resident.len() < 10 {
            println!("too short to judge the memory");
            return (0, 0, true);
        }
        let fifth = self.resident.len() / 5;
        let warm = median(self.resident.get(fifth..2 * fifth).unwrap_or_default());
        let last = median(&self.resident[self.resident.len().saturating_sub(fifth)..]);
        let allowed = 384 + made / 100;
        (warm, last, last <= warm + allowed)
    }
}
