//! What becomes of keys that are there already, too big, refused, or interrupted.

use crate::servers::{ALL, Server};
use crate::{put, run};
use redkeep::export::CommandForm;
use redkeep::live::restore::{Conflict, RestoreOptions};

/// Three keys, of which `b` expires in the far future; in db 2 a list.
fn dump() -> Vec<u8> {
    [
        &b"REDIS0009\xfe\x00\x00\x01a\x01x\xfc\x00\xe8\x76\x48\x17\x00\x00\x00\x00\x01b\x01y"[..],
        b"\xfe\x02\x01\x01l\x02\x01p\x01q\xff\0\0\0\0\0\0\0\0",
    ]
    .concat()
}

const FORMS: [CommandForm; 2] = [CommandForm::Restore, CommandForm::Plain];

#[test]
#[ignore = "needs real servers, which tests/run gets"]
fn keys_that_are_there_are_kept_replaced_or_the_end() {
    for name in ALL {
        let server = Server::start(name, None).unwrap();
        for form in FORMS {
            let put = |conflict| {
                run(&server, "FLUSHALL");
                run(&server, "SET a old");
                put(&dump(), &server, RestoreOptions::default().form(form).conflict(conflict)).keys
            };
            let outcome = put(Conflict::Skip);
            assert_eq!((outcome.restored, outcome.skipped.existing), (1, 1), "{name}: {outcome:?}");
            // 1990 is past.
            assert_eq!(outcome.skipped.expired, 1, "{name}: {outcome:?}");
            assert_eq!(run(&server, "GET a"), "old");
            let outcome = put(Conflict::Replace);
            assert_eq!((outcome.restored, outcome.skipped.all()), (2, 1), "{name}: {outcome:?}");
            assert_eq!(run(&server, "GET a"), "x");
            let outcome = put(Conflict::Fail);
            let stopped = outcome.stopped.clone().unwrap();
            assert_eq!(stopped.code, "key_exists", "{name}: {stopped:?}");
            assert!(stopped.message.contains("\"a\""), "{stopped:?}");
            assert_eq!((outcome.failed, outcome.failures["exists"].keys), (1, 1));
            assert!(!outcome.is_complete());
            assert_eq!(run(&server, "GET a"), "old");
        }
    }
}
