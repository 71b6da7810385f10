use super::*;

/// What comes back for these octets.
fn exchange(request: &[u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (served, _) = listener.accept().unwrap();
    client.write_all(request).unwrap();
    client.shutdown(std::net::Shutdown::Write).unwrap();
    converse(served, || "page\n".to_owned()).unwrap();
    let mut text = String::new();
    client.read_to_string(&mut text).unwrap();
    text
}

// Broken if a collector could not read the page, or others got anything else than what is wrong with their request.
#[test]
fn requests_are_answered() {
    let page = exchange(b"GET /metrics?x=y HTTP/1.1\r\nHost: a\r\n\r\n");
    let (head, body) = page.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.0 200 OK\r\n") && head.contains(CONTENT_TYPE), "{head}");
    assert!(head.contains("Content-Length: 5\r\n"));
    assert_eq!(body, "page\n");
    assert!(exchange(b"HEAD /metrics HTTP/1.0\r\n\r\n").ends_with("\r\n\r\n"));
    for (request, status) in [
        (&b"GET / HTTP/1.1\r\n\r\n"[..], "200 OK"),
        (b"GET /etc/passwd HTTP/1.1\r\n\r\n", "404 Not Found"),
        (b"POST /metrics HTTP/1.1\r\n\r\n", "405 Method Not Allowed"),
        (b"GET /metrics\r\n\r\n", "400 Bad Request"),
        (b"\xff\xfe\r\n\r\n", "400 Bad Request"),
    ] {
        let answer = exchange(request);
        assert!(answer.starts_with(&format!("HTTP/1.0 {status}\r\n")), "{answer}");
        assert!(!answer.ends_with("page\n"));
    }
}

// Broken if a request without an end, or one that never begins to end, were kept or answered.
#[test]
fn what_is_no_request_gets_nothing() {
    assert_eq!(exchange(b"GET /metrics HTTP/1.1\r\n"), "");
    assert_eq!(exchange(b""), "");
}
