//! The program `firsthop-exporter`: metrics for a collector that comes by itself, or for node_exporter.
//!
//! ```text
//!   collector ──GET /metrics──▶ exporter ──▶ daemon's socket         --listen (127.0.0.1:9983)
//!                               exporter ──every 15 s──▶ FILE        --textfile FILE
//! ```
//!
//! A process of its own, so that the daemon opens no socket of the Internet, and without any rights but to ask the daemon. Each
//! scrape asks anew. Where the daemon can't be reached, `firsthop_up` is 0 and nothing else is told.

#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;

use crate::client::{self, Options};
use crate::metrics;

/// What OpenMetrics text is called (its specification, 1.0).
const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// How long somebody may take to ask, and to take the answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Octets of a request, beyond which it is none.
const LONGEST: usize = 8 << 10;
/// Who may be served at the same time.
const CONNECTIONS: usize = 16;

/// Metrics of firsthopd for Prometheus, over HTTP or in a file
#[derive(Debug, Parser)]
#[command(name = "firsthop-exporter", version)]
struct Arguments {
    /// Address to listen on
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:9983")]
    listen: SocketAddr,
    /// Write to this file instead of listening, for node_exporter's textfile collector
    #[arg(long, value_name = "FILE", conflicts_with = "listen")]
    textfile: Option<PathBuf>,
    /// Seconds between two writes of the file
    #[arg(long, value_name = "SECONDS", default_value_t = 15, requires = "textfile", value_parser = clap::value_parser!(u64).range(1..=3600))]
    interval: u64,
    /// The daemon of this network namespace (as `ip netns` names it)
    #[arg(short, long)]
    netns: Option<String>,
    /// The daemon's socket
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
}

/// Runs the program with these arguments, its own name first.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            // Nobody reads: then nobody misses it.
            error.print().ok();
            return if error.use_stderr() { ExitCode::from(1) } else { ExitCode::SUCCESS };
        }
    };
    let Arguments { listen, textfile, interval, netns, socket } = arguments;
    let options = Options { netns, socket, ..Options::default() };
    let ended = match textfile {
        Some(file) => write_for_ever(&options, &file, Duration::from_secs(interval)),
        None => TcpListener::bind(listen).and_then(|listener| serve(&options, &listener)),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("firsthop-exporter: {error}");
            ExitCode::from(2)
        }
    }
}

/// What is told now.
fn page(options: &Options) -> String {
    let answers = client::gather(options).map_err(|failure| failure.line);
    if let Err(line) = &answers {
        eprintln!("firsthop-exporter: {line}");
    }
    metrics::render(answers.ok().as_ref())
}

/// Who reads the file sees the old page or the new one, never a part.
fn write_for_ever(options: &Options, file: &Path, interval: Duration) -> io::Result<()> {
    let mut fresh = file.as_os_str().to_owned();
    fresh.push(".new");
    loop {
        let begun = Instant::now();
        std::fs::write(&fresh, page(options))?;
        std::fs::rename(&fresh, file)?;
        thread::sleep(interval.saturating_sub(begun.elapsed()));
    }
}

fn serve(options: &Options, listener: &TcpListener) -> io::Result<()> {
    // Those who wait for it read this line.
    println!("listening on http://{}/metrics", listener.local_addr()?);
    let served = Arc::new(AtomicUsize::new(0));
    loop {
        let stream = match listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) => {
                eprintln!("firsthop-exporter: Connection not accepted: {error}");
                // Out of descriptors as a rule: a connection has to end first.
                thread::sleep(Duration::from_millis(100));
                continue;
            }
        };
        if served.fetch_add(1, Ordering::Relaxed) >= CONNECTIONS {
            served.fetch_sub(1, Ordering::Relaxed);
            continue;
        }
        let (options, served) = (options.clone(), Arc::clone(&served));
        thread::spawn(move || {
            // A collector that went away needs no answer.
            converse(stream, || page(&options)).ok();
            served.fetch_sub(1, Ordering::Relaxed);
        });
    }
}

/// One request and its answer.
fn converse(mut stream: TcpStream, page: impl FnOnce() -> String) -> io::Result<()> {
    stream.set_write_timeout(Some(PATIENCE))?;
    let Some(request) = read_request(&mut stream)? else { return Ok(()) };
    let (status, kind, body) = match answer(&request) {
        Answer::Metrics => ("200 OK", CONTENT_TYPE, page()),
        Answer::Other(status, text) => (status, "text/plain; charset=utf-8", text.to_owned()),
    };
    let body = if request.starts_with("HEAD ") { String::new() } else { body };
    let head = format!(
        "HTTP/1.0 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(body.as_bytes())
}

/// The head of a request; `None` if it does not end in time, or is too long.
fn read_request(stream: &mut TcpStream) -> io::Result<Option<String>> {
    let begun = Instant::now();
    let mut head = Vec::new();
    let mut buffer = [0; 1024];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let left = PATIENCE.saturating_sub(begun.elapsed());
        if left.is_zero() || head.len() > LONGEST {
            return Ok(None);
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut buffer)? {
            0 => return Ok(None),
            length => head.extend_from_slice(&buffer[..length]),
        }
    }
    Ok(Some(String::from_utf8_lossy(&head).into_owned()))
}

/// What a request gets.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Metrics,
    Other(&'static str, &'static str),
}

fn answer(request: &str) -> Answer {
    let line = request.lines().next().unwrap_or_default();
    let mut words = line.split(' ');
    let (method, target, version) = (words.next(), words.next(), words.next());
    if !version.is_some_and(|version| version.starts_with("HTTP/1.")) {
        return Answer::Other("400 Bad Request", "This is no request of HTTP/1.\n");
    }
    if !matches!(method, Some("GET" | "HEAD")) {
        return Answer::Other("405 Method Not Allowed", "There is only something to read.\n");
    }
    match target.map(|target| target.split('?').next().unwrap_or_default()) {
        Some("/metrics") => Answer::Metrics,
        Some("/") => Answer::Other("200 OK", "firsthop-exporter: /metrics\n"),
        _ => Answer::Other("404 Not Found", "There is /metrics.\n"),
    }
}
