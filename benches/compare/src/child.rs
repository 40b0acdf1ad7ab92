//! One job in one process, and what the kernel says it cost.

use std::error::Error;
use std::io::{self, Read};
use std::mem::MaybeUninit;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::contenders::{Contender, Delivered, Work};

#[derive(Clone, Copy, Debug)]
pub struct Measured {
    pub user: f64,
    pub system: f64,
    pub peak_kib: u64,
    pub delivered: Delivered,
}

impl Measured {
    pub fn cpu(&self) -> f64 {
        self.user + self.system
    }
}

pub fn measure(contender: &Contender, file: &Path) -> Result<Measured, Box<dyn Error>> {
    let mut command;
    match contender.work {
        Work::Call(_) => {
            command = Command::new(std::env::current_exe()?);
            command.args(["one", contender.job, contender.name]).arg(file);
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        }
        Work::Program(program) => {
            command = Command::new(program);
            command.arg(file);
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        }
    }
    let mut child = command.spawn()?;
    let mut said = Vec::new();
    match (&mut child.stdout, &mut child.stderr) {
        (Some(out), _) => out.read_to_end(&mut said)?,
        (_, Some(err)) => err.read_to_end(&mut said)?,
        (None, None) => 0,
    };
    let said = String::from_utf8_lossy(&said);
    let (status, usage) = wait(child)?;
    if status != 0 {
        return Err(said.lines().last().unwrap_or("failed without a word").into());
    }
    Ok(Measured {
        user: seconds(usage.ru_utime),
        system: seconds(usage.ru_stime),
        peak_kib: usage.ru_maxrss.try_into()?, // KiB on Linux
        delivered: match contender.work {
            Work::Call(_) => read_delivered(&said),
            Work::Program(_) => read_checker(&said),
        },
    })
}

/// Waits for the child with wait4, which hands out its resource usage; std's own wait does not.
fn wait(child: Child) -> io::Result<(i32, libc::rusage)> {
    let pid = libc::pid_t::try_from(child.id()).map_err(io::Error::other)?;
    let mut status = 0;
    let mut usage = MaybeUninit::<libc::rusage>::uninit();
    // SAFETY: pid is our own child and not waited for before (dropping `child` doesn't wait); both
    // pointers are to live locals of the right type.
    if unsafe { libc::wait4(pid, &mut status, 0, usage.as_mut_ptr()) } != pid {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: wait4 succeeded, so it has filled the structure.
    Ok((status, unsafe { usage.assume_init() }))
}

fn seconds(time: libc::timeval) -> f64 {
    time.tv_sec as f64 + time.tv_usec as f64 / 1e6
}

/// Reads back the one line that [`Delivered`] prints.
fn read_delivered(said: &str) -> Delivered {
    let words: Vec<&str> = said.split_whitespace().collect();
    let number = |name| {
        let at = words.iter().position(|word| *word == name)?;
        words.get(at + 1)?.parse().ok()
    };
    Delivered {
        keys: number("keys").unwrap_or(0),
        elements: number("elements").unwrap_or(0),
        bytes: number("bytes").unwrap_or(0),
    }
}

/// Reads the number of keys out of a line like `[info] 240000 keys read`.
fn read_checker(said: &str) -> Delivered {
    let keys = said
        .lines()
        .find_map(|line| line.strip_suffix(" keys read")?.split(' ').next_back()?.parse().ok());
    Delivered { keys: keys.unwrap_or(0), ..Delivered::default() }
}
