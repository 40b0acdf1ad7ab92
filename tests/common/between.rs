//! A connection with somebody between it and the server.

#![allow(dead_code)] // not every user looks at all of it

use redis::{ConnectionLike, RedisResult, Value};

/// A moment of commands that are sent together.
pub(crate) enum Moment<'m> {
    /// Before they go.
    Sending(&'m [u8]),
    /// Before whoever sent them gets the answers, which may be changed.
    Answered(&'m mut Vec<Value>),
}

/// Passes all on, and tells somebody of it.
pub(crate) struct Between<C, F> {
    pub(crate) inner: C,
    pub(crate) act: F,
}

impl<C: ConnectionLike, F: FnMut(Moment<'_>)> ConnectionLike for Between<C, F> {
    fn req_packed_command(&mut self, command: &[u8]) -> RedisResult<Value> {
        self.inner.req_packed_command(command)
    }

    fn req_packed_commands(
        &mut self,
        commands: &[u8],
        offset: usize,
        count: usize,
    ) -> RedisResult<Vec<Value>> {
        (self.act)(Moment::Sending(commands));
        let mut answers = self.inner.req_packed_commands(commands, offset, count)?;
        (self.act)(Moment::Answered(&mut answers));
        Ok(answers)
    }

    fn get_db(&self) -> i64 {
        self.inner.get_db()
    }

    fn check_connection(&mut self) -> bool {
        self.inner.check_connection()
    }

    fn is_open(&self) -> bool {
        self.inner.is_open()
    }
}
