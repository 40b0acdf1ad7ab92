//! What servers that are made up for tests have in common.

use crate::live::clock::Clock;
use redis::{RedisResult, Value};
use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::time::Duration;

/// A clock that nothing moves but who waits by it.
#[derive(Clone, Default)]
pub(super) struct Time(Rc<Cell<Duration>>);

impl Clock for Time {
    fn elapsed(&self) -> Duration {
        self.0.get()
    }

    fn sleep(&self, time: Duration) {
        self.0.set(self.0.get() + time);
    }
}

/// An error that the server answers with.
pub(super) fn refuse(code: &str, text: &str) -> RedisResult<Value> {
    let text = Some(text.to_owned()).filter(|text| !text.is_empty());
    let error = redis::make_extension_error(code.to_owned(), text);
    Ok(Value::ServerError(error.try_into().unwrap()))
}

/// The way to the server fails.
pub(super) fn lose(kind: io::ErrorKind) -> RedisResult<Value> {
    Err(io::Error::from(kind).into())
}

/// The words of a command, with blanks between.
pub(super) fn line(command: &[u8]) -> String {
    let text = String::from_utf8_lossy(command).into_owned();
    let words: Vec<_> = text.split("\r\n").skip(2).step_by(2).collect();
    words.join(" ").trim_end().to_owned()
}

/// Makes a type a connection: `answer` gets each command as one line.
macro_rules! connection {
    ($fake:ty) => {
        impl redis::ConnectionLike for $fake {
            fn req_packed_command(&mut self, command: &[u8]) -> redis::RedisResult<redis::Value> {
                self.answer(&crate::live::fake::line(command))
            }

            fn req_packed_commands(
                &mut self,
                _: &[u8],
                _: usize,
                _: usize,
            ) -> redis::RedisResult<Vec<redis::Value>> {
                panic!("nothing here is pipelined")
            }

            fn get_db(&self) -> i64 {
                0
            }

            fn check_connection(&mut self) -> bool {
                true
            }

            fn is_open(&self) -> bool {
                true
            }
        }
    };
}
pub(super) use connection;
