//! Standard output, which remembers that it failed: a full disk there is no fault of the source.

use crate::cli::{Exit, complain};
use std::io::{self, StdoutLock, Write};

pub(crate) struct Out {
    out: StdoutLock<'static>,
    failed: Option<io::Error>,
}

impl Out {
    pub(crate) fn new() -> Out {
        Out { out: io::stdout().lock(), failed: None }
    }

    fn noted<T>(&mut self, result: io::Result<T>) -> io::Result<T> {
        result.inspect_err(|error| {
            if error.kind() != io::ErrorKind::Interrupted {
                self.failed = Some(io::Error::new(error.kind(), error.to_string()));
            }
        })
    }

    /// Writes what is left; how to end where not all could be written. A reader that has seen enough
    /// and left is no failure.
    pub(crate) fn finish(mut self) -> Result<(), Exit> {
        if let Err(error) = self.flush() {
            self.failed.get_or_insert(error);
        }
        match self.failed {
            Some(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Exit::Done),
            Some(error) => {
                complain(format_args!("writing to standard output: {error}"));
                Err(Exit::Failed)
            }
            None => Ok(()),
        }
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let result = self.out.write(bytes);
        self.noted(result)
    }

    fn flush(&mut self) -> io::Result<()> {
        let result = self.out.flush();
        self.noted(result)
    }
}
