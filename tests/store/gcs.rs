//! Google Cloud Storage as a server does it that answers as it is told, in Google's words. No service
//! that does as Google's was ever asked.

use crate::name;
use crate::runtime::runtime;
use redkeep::Fault;
use redkeep::repo::store::{Bucket, GcsOptions, IfExists, OpendalStore, RemoteOptions, Store};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

const TOKEN: &str = "ya29.very-secret";
const OBJECT: &str = r#"{"kind":"storage#object","name":"redis/prod/a/b","bucket":"backups",
    "generation":"1790000000000000","contentType":"application/octet-stream","size":"3",
    "md5Hash":"kAFQmDzST7DWlj99KOF/cg==","etag":"CJ//","updated":"2026-11-20T12:00:00.000Z"}"#;

/// An upload in parts was begun, even where there is but one.
const BEGUN: &str = "200 OK\r\nLocation: http://127.0.0.1:PORT/upload/session";

type Answers = &'static [(&'static str, &'static str)];

/// A server that answers requests in this order; it tells their heads.
fn scripted(answers: Answers) -> (u16, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, asked) = channel();
    std::thread::spawn(move || {
        for (status, body) in answers {
            let Ok((stream, _)) = listener.accept() else { return };
            let mut reader = BufReader::new(stream);
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head).unwrap_or(0) > 0 {}
            let lower = head.to_lowercase();
            let mut lines = lower.lines();
            let length = lines.find_map(|line| line.strip_prefix("content-length: "));
            let length = length.map_or(0, |length| length.parse().unwrap());
            std::io::copy(&mut (&mut reader).take(length), &mut std::io::sink()).unwrap();
            sender.send(head).unwrap();
            let (status, length) = (status.replace("PORT", &port.to_string()), body.len());
            let answer = format!(
                "HTTP/1.1 {status}\r\nContent-Type: application/json\r\n\
                 Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
            );
            reader.get_mut().write_all(answer.as_bytes()).unwrap();
        }
    });
    (port, asked)
}

/// What came of something with such a server, and what it was asked.
fn done<T>(
    answers: Answers,
    call: impl FnOnce(&OpendalStore) -> redkeep::Result<T>,
) -> (redkeep::Result<T>, Vec<String>) {
    let (port, asked) = scripted(answers);
    let runtime = runtime();
    let options = GcsOptions::new("backups")
        .root(name("redis/prod"))
        .endpoint(format!("http://127.0.0.1:{port}"))
        .token(TOKEN);
    let bucket = Bucket::gcs(&options).unwrap();
    let remote = RemoteOptions::default().retries(1).pause(Duration::from_millis(1));
    let store = OpendalStore::new(bucket, runtime.handle().clone(), &remote);
    let done = call(&store);
    let shown = format!("{options:?} {store:?} {:?}", done.as_ref().err());
    assert!(!shown.contains("very-secret"), "{shown}");
    let asked: Vec<String> = asked.try_iter().collect();
    assert_eq!(asked.len(), answers.len());
    // The address of an upload that was begun is a credential of its own.
    for head in asked.iter().filter(|head| !head.starts_with("PUT /upload/session ")) {
        assert!(head.to_lowercase().contains(&format!("authorization: bearer {TOKEN}")), "{head}");
    }
    (done, asked)
}

#[test]
fn an_object_is_put_where_there_is_none() {
    let object = name("a/b");
    let answers = &[("404 Not Found", "{}"), (BEGUN, "{}"), ("200 OK", OBJECT)];
    let (put, asked) = done(answers, |store| store.put(&object, b"abc", IfExists::Refuse));
    put.unwrap();
    assert!(
        asked[0].starts_with("GET /storage/v1/b/backups/o/redis%2Fprod%2Fa%2Fb"),
        "{}",
        asked[0]
    );
    assert!(asked[1].starts_with("POST /upload/storage/v1/b/backups/o?"), "{}", asked[1]);
    assert!(asked[1].contains("name=redis%2Fprod%2Fa%2Fb"), "{}", asked[1]);
    // The service itself refuses where there is another generation than none.
    assert!(asked[1].contains("ifGenerationMatch=0"), "{}", asked[1]);
    const REFUSED: (&str, &str) = ("412 Precondition Failed", "{}");
    let answers = &[("404 Not Found", "{}"), (BEGUN, "{}"), REFUSED];
    let (put, _) = done(answers, |store| store.put(&object, b"abc", IfExists::Refuse));
    assert_eq!(put.unwrap_err().fault(), Some(Fault::ObjectExists));
}

#[test]
fn what_google_says_is_understood() {
    let object = name("a/b");
    let (size, _) = done(&[("200 OK", OBJECT)], |store| store.stat(&object));
    assert_eq!(size.unwrap(), Some(3));
    const PAGES: [&str; 2] = [
        r#"{"kind":"storage#objects","nextPageToken":"t2","items":[{"name":"redis/prod/a/b","size":"3",
            "updated":"2026-11-20T12:00:00.000Z","md5Hash":"x","etag":"y"}]}"#,
        r#"{"kind":"storage#objects","items":[{"name":"redis/prod/c","size":"4",
            "updated":"2026-11-20T12:00:00.000Z","md5Hash":"x","etag":"y"}]}"#,
    ];
    let answers = &[("200 OK", PAGES[0]), ("200 OK", PAGES[1])];
    let (listed, asked) = done(answers, |store| store.list(None));
    let listed = listed.unwrap();
    let names: Vec<_> = listed.iter().map(|object| (object.name.as_str(), object.size)).collect();
    assert_eq!(names, [("a/b", 3), ("c", 4)]);
    assert!(
        asked[0].contains("prefix=redis%2Fprod%2F") && asked[1].contains("pageToken=t2"),
        "{asked:?}"
    );
    let (gone, _) = done(&[("404 Not Found", "{}")], |store| store.delete(&object));
    gone.unwrap();
    let busy = &[("503 Service Unavailable", "{}"), ("200 OK", OBJECT)];
    assert_eq!(done(busy, |store| store.stat(&object)).0.unwrap(), Some(3));
    let (denied, _) = done(&[("403 Forbidden", "{}")], |store| store.stat(&object));
    assert_eq!(denied.unwrap_err().fault(), Some(Fault::StoreDenied));
    assert!(Bucket::gcs(&GcsOptions::new("")).unwrap_err().to_string().contains("bucket"));
}
