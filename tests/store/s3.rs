//! S3 as a server does it that answers as it is told.

use crate::name;
use crate::runtime::runtime;
use redkeep::Fault;
use redkeep::repo::store::{Bucket, IfExists, OpendalStore, RemoteOptions, S3Options, Store};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// How the scripted server answers one request.
#[derive(Clone, Copy)]
enum Answer {
    /// This status, with no more to it.
    Status(&'static str),
    /// This status, and this code of S3 for it.
    Code(&'static str, &'static str),
    /// None: the connection is closed.
    Closed,
    /// None: the connection stays.
    Silent,
}

/// A server that answers requests in this order, and the last one ever after; it tells what it was asked.
fn scripted(answers: &'static [Answer]) -> (u16, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, asked) = channel();
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        for at in 0.. {
            let Ok((stream, _)) = listener.accept() else { return };
            let mut reader = BufReader::new(stream);
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                if reader.read_line(&mut head).unwrap_or(0) == 0 {
                    break;
                }
            }
            let lower = head.to_lowercase();
            let length = lower.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length = length.map_or(0, |length| length.trim().parse().unwrap());
            reader.read_exact(&mut vec![0; length]).unwrap();
            if sender.send(head).is_err() {
                return;
            }
            let mut answer = |status, body: &str| {
                let length = body.len();
                let head = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n");
                let _ = write!(reader.get_mut(), "{head}Connection: close\r\n\r\n{body}");
            };
            match answers[at.min(answers.len() - 1)] {
                Answer::Status(status) => answer(status, ""),
                Answer::Code(status, code) => {
                    answer(status, &format!("<Error><Code>{code}</Code></Error>"));
                }
                Answer::Closed => {}
                Answer::Silent => kept.push(reader),
            }
        }
    });
    (port, asked)
}

/// What a put over whatever is there came to with such a server, and how often it was asked.
fn put(answers: &'static [Answer], if_exists: IfExists) -> (redkeep::Result<()>, Vec<String>) {
    let (port, asked) = scripted(answers);
    let runtime = runtime();
    let options = S3Options::new("b")
        .endpoint(format!("http://127.0.0.1:{port}"))
        .credentials("id", "very-secret");
    let remote = RemoteOptions::default()
        .retries(2)
        .pause(Duration::from_millis(1))
        .timeout(Duration::from_millis(300))
        .part_timeout(Duration::from_millis(300));
    let bucket = Bucket::s3(&options).unwrap();
    let store = OpendalStore::new(bucket, runtime.handle().clone(), &remote);
    let done = store.put(&name("a"), b"1", if_exists);
    if let Err(error) = &done {
        assert!(!format!("{error} {error:?}").contains("very-secret"), "{error:?}");
    }
    (done, asked.try_iter().collect())
}

fn fault(done: redkeep::Result<()>) -> Option<Fault> {
    done.unwrap_err().fault()
}

#[test]
fn what_passes_is_tried_again_and_what_stays_is_not() {
    use Answer::{Closed, Silent, Status};
    const OK: Answer = Status("200 OK");
    for answers in [
        &[OK][..],
        &[Status("503 Slow Down"), Status("500 Internal Server Error"), OK],
        &[Closed, Silent, OK],
    ] {
        let (done, asked) = put(answers, IfExists::Replace);
        done.unwrap();
        assert_eq!(asked.len(), answers.len());
    }
    for (answer, want, tries) in [
        (&[Status("503 Slow Down")][..], Fault::StoreUnavailable, 3),
        (&[Closed], Fault::StoreUnavailable, 3),
        (&[Silent], Fault::StoreUnavailable, 3),
        (&[Status("403 Forbidden")], Fault::StoreDenied, 1),
        (&[Status("401 Unauthorized")], Fault::StoreFailed, 1),
        (&[Status("400 Bad Request")], Fault::StoreFailed, 1),
    ] {
        let (done, asked) = put(answer, IfExists::Replace);
        assert_eq!((fault(done), asked.len()), (Some(want), tries));
    }
}

#[test]
fn what_is_not_to_be_replaced_is_guarded_by_the_service() {
    use Answer::{Closed, Code, Status};
    const ABSENT: Answer = Status("404 Not Found");
    let (done, asked) = put(&[ABSENT, Status("200 OK")], IfExists::Refuse);
    done.unwrap();
    assert!(asked[0].starts_with("HEAD ") && asked[1].to_lowercase().contains("if-none-match: *"));
    let (done, _) = put(&[ABSENT, Status("412 Precondition Failed")], IfExists::Refuse);
    assert_eq!(fault(done), Some(Fault::ObjectExists));
    let conflict = &[ABSENT, Code("409 Conflict", "ConditionalRequestConflict")];
    let (done, _) = put(conflict, IfExists::Refuse);
    assert_eq!(fault(done), Some(Fault::StoreUnavailable));
    // Its own object, put by the try whose answer was lost: as documented.
    let (done, asked) = put(&[ABSENT, Closed, Status("412 Precondition Failed")], IfExists::Refuse);
    assert_eq!((fault(done), asked.len()), (Some(Fault::ObjectExists), 3));
}

#[test]
fn a_service_that_is_not_there_is_no_secret() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let runtime = runtime();
    let options = S3Options::new("b").endpoint(format!("http://127.0.0.1:{port}"));
    let bucket = Bucket::s3(&options.credentials("id", "very-secret")).unwrap();
    assert!(!format!("{bucket:?}").contains("very-secret"));
    let remote = RemoteOptions::default().retries(1).pause(Duration::from_millis(1));
    let store = OpendalStore::new(bucket, runtime.handle().clone(), &remote);
    let error = store.list(None).unwrap_err();
    assert!(error.is_retryable(), "{error}");
    assert!(!format!("{store:?} {error:?}").contains("very-secret"), "{store:?}");
    assert!(Bucket::s3(&S3Options::new("")).unwrap_err().to_string().contains("bucket"));
}

#[test]
fn no_more_requests_are_under_way_than_allowed() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let seen = most.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, now, most) = (stream.unwrap(), now.clone(), most.clone());
            std::thread::spawn(move || {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                let _ = stream.read(&mut [0; 8192]);
                std::thread::sleep(Duration::from_millis(40));
                now.fetch_sub(1, Ordering::SeqCst);
                let head = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
                let _ = stream.write_all(head.as_bytes());
            });
        }
    });
    let (runtime, endpoint) = (runtime(), format!("http://127.0.0.1:{port}"));
    let bucket = S3Options::new("b").endpoint(endpoint).credentials("id", "secret");
    let remote = RemoteOptions::default().requests(3);
    let bucket = Bucket::s3(&bucket).unwrap();
    let store = OpendalStore::new(bucket, runtime.handle().clone(), &remote);
    std::thread::scope(|scope| {
        for _ in 0..9 {
            let store = store.clone();
            scope.spawn(move || store.stat(&name("a")).unwrap());
        }
    });
    assert_eq!(seen.load(Ordering::SeqCst), 3);
}
