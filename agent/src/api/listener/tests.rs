use std::path::PathBuf;

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::LocalSet;

use super::guests::CONNECTIONS;
use super::*;
use crate::api::codec::MAX_OWN_CALL;

/// A listener at a path of its own, and the daemon's end of it.
struct Stand {
    path: PathBuf,
    daemon: mpsc::Receiver<Incoming>,
    _directory: tempfile::TempDir,
}

/// Runs a test with a listener on one thread.
fn with_stand<F: Future<Output = ()>>(test: impl FnOnce(Stand) -> F) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(LocalSet::new().run_until(async {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("agent.sock");
        let (calls, daemon) = mpsc::channel(4);
        let listener = UnixListener::bind(&path).unwrap();
        tokio::task::spawn_local(serve(listener, calls));
        let stand = Stand { path, daemon, _directory: directory };
        timeout(Duration::from_secs(20), test(stand)).await.expect("an answer in time");
    }));
}

impl Stand {
    async fn connect(&self) -> UnixStream {
        UnixStream::connect(&self.path).await.unwrap()
    }

    /// Answers what comes with what it asked for, until nobody asks any more.
    fn answer_all(mut self) {
        tokio::task::spawn_local(async move {
            while let Some(Incoming { request, replies }) = self.daemon.recv().await {
                replies.send(Reply::of(&json!({ "asked": format!("{request:?}") })));
            }
        });
    }
}

/// What comes back until the connection ends.
async fn rest(stream: &mut UnixStream) -> String {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.ok();
    String::from_utf8(bytes).unwrap()
}

// Broken if calls that came in one piece were lost, answered out of order, or answered though nobody wanted it.
#[test]
fn calls_are_answered_in_order() {
    with_stand(|stand| async move {
        let mut client = stand.connect().await;
        stand.answer_all();
        let calls = concat!(
            r#"{"method":"org.firsthop.Agent.Status"}"#,
            "\0",
            r#"{"method":"org.firsthop.Agent.Diff","oneway":true}"#,
            "\0",
            r#"{"method":"org.firsthop.Agent.Doctor","parameters":null}"#,
            "\0",
            r#"{"method":"org.firsthop.Agent.Nothing"}"#,
            "\0",
            r#"{"method":"org.varlink.service.GetInfo"}"#,
            "\0",
        );
        for piece in calls.as_bytes().chunks(7) {
            client.write_all(piece).await.unwrap();
        }
        client.shutdown().await.unwrap();
        let text = rest(&mut client).await;
        let answers: Vec<&str> = text.split_terminator('\0').collect();
        assert_eq!(answers.len(), 4, "{text}");
        for (answer, part) in answers.iter().zip(["Status", "Doctor", "MethodNotFound", "vendor"]) {
            assert!(answer.contains(part), "{answer}");
        }
    });
}

// Broken if garbage ended more than its own connection, or was answered as if it were a call.
#[test]
fn garbage_ends_its_connection_only() {
    with_stand(|stand| async move {
        let mut good = stand.connect().await;
        for garbage in
            [&b"\0"[..], b"nonsense\0", b"{}\0", b"\xff\xfe\0", b"[1]\0{\"method\":\"x\"}\0"]
        {
            let mut client = stand.connect().await;
            client.write_all(garbage).await.unwrap();
            let text = rest(&mut client).await;
            assert!(text.contains("org.firsthop.Agent.NotUnderstood"), "{garbage:?}: {text}");
            assert_eq!(text.matches('\0').count(), 1, "{garbage:?}: {text}");
        }
        let mut endless = stand.connect().await;
        // The answer may overtake the end of what was sent.
        endless.write_all(&vec![b'x'; MAX_OWN_CALL + 100_000]).await.ok();
        let text = rest(&mut endless).await;
        assert!(text.is_empty() || text.contains("longer than 16777216 bytes"), "{text}");
        let mut cut = stand.connect().await;
        cut.write_all(b"{\"method\":").await.unwrap();
        cut.shutdown().await.unwrap();
        assert_eq!(rest(&mut cut).await, "");

        stand.answer_all();
        good.write_all(b"{\"method\":\"org.firsthop.Agent.Status\"}\0").await.unwrap();
        good.shutdown().await.unwrap();
        assert!(rest(&mut good).await.contains("Status"));
    });
}

// Broken if a watcher that does not read made the daemon wait or fill its memory, or missed what was accepted for it.
#[test]
fn a_watcher_that_does_not_read_has_a_queue_with_an_end() {
    with_stand(|mut stand| async move {
        let mut client = stand.connect().await;
        client
            .write_all(b"{\"method\":\"org.firsthop.Agent.Monitor\",\"more\":true}\0")
            .await
            .unwrap();
        let Incoming { request, replies } = stand.daemon.recv().await.unwrap();
        assert_eq!(request, Request::Monitor(crate::api::MonitorFilter::default()));
        let bulky = Reply::continued(&json!({ "change": "x".repeat(10_000) }));
        let mut sent = 0;
        while replies.send(bulky.clone()) {
            sent += 1;
            assert!(sent < 10_000, "the queue has no end");
            tokio::task::yield_now().await;
        }
        drop(replies);
        let text = rest(&mut client).await;
        assert_eq!(text.matches('\0').count(), sent);
    });
}

// Broken if a watcher that went away were kept for ever.
#[test]
fn a_watcher_that_left_is_noticed() {
    with_stand(|mut stand| async move {
        let mut client = stand.connect().await;
        client
            .write_all(b"{\"method\":\"org.firsthop.Agent.Monitor\",\"more\":true}\0")
            .await
            .unwrap();
        let Incoming { replies, .. } = stand.daemon.recv().await.unwrap();
        assert!(!replies.is_closed());
        drop(client);
        replies.0.closed().await;
    });
}

// Broken if clients could take all descriptors of the daemon, or one that was turned away were not told why.
#[test]
fn connections_are_counted() {
    with_stand(|stand| async move {
        let mut clients = Vec::new();
        for _ in 0..CONNECTIONS {
            clients.push(stand.connect().await);
        }
        let mut one_more = stand.connect().await;
        let text = rest(&mut one_more).await;
        assert!(text.contains(r#""error":"org.firsthop.Agent.TooMany""#), "{text}");
        assert!(text.contains(r#""limit":128"#), "{text}");
        drop(clients);
        stand.answer_all();
    });
}

// Broken if somebody who waits and talks on filled the memory, or lost what it had said.
#[test]
fn who_waits_may_say_only_so_much() {
    with_stand(|mut stand| async move {
        let mut client = stand.connect().await;
        client
            .write_all(b"{\"method\":\"org.firsthop.Agent.Monitor\",\"more\":true}\0")
            .await
            .unwrap();
        let Incoming { replies, .. } = stand.daemon.recv().await.unwrap();
        let mut sent = 0;
        let piece = vec![b'x'; 1 << 16];
        while let Ok(length) = timeout(Duration::from_millis(500), client.write(&piece)).await {
            sent += length.unwrap();
            assert!(sent < 3 * MAX_OWN_CALL, "no end after {sent} bytes");
        }
        assert!(sent > MAX_OWN_CALL, "{sent} bytes");
        replies.send(Reply::of(&json!({ "last": true })));
        let text = rest(&mut client).await;
        assert!(text.contains("last") && text.contains("longer than"), "{text}");
    });
}

// Broken if a wait whose client was ended held its connection until the wait is over, or one whose client only has nothing
// more to say were not answered.
#[test]
fn waits_end_with_their_clients() {
    with_stand(|mut stand| async move {
        let call = concat!(
            r#"{"method":"org.firsthop.Agent.Wait","parameters":"#,
            r#"{"object":"synced","timeout_ms":80000000}}"#,
            "\0"
        );
        let mut client = stand.connect().await;
        client.write_all(call.as_bytes()).await.unwrap();
        let Incoming { replies, .. } = stand.daemon.recv().await.unwrap();
        drop(client);
        replies.0.closed().await;
        let mut client = stand.connect().await;
        client.write_all(call.as_bytes()).await.unwrap();
        client.shutdown().await.unwrap();
        let Incoming { replies, .. } = stand.daemon.recv().await.unwrap();
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert!(replies.send(Reply::of(&json!({ "met": true }))));
        assert!(rest(&mut client).await.contains("met"));
    });
}
