//! One connection: the program that makes it, and what the server can.

use crate::error::{Error, Fault, Result, printable};
use crate::repo::store::remote::SftpOptions;
use russh_sftp::client::error::Error as SftpError;
use russh_sftp::client::{Config, RawSftpSession};
use russh_sftp::protocol::StatusCode;
use std::ffi::OsString;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::process::{Child, ChildStderr, Command};

/// Bytes of one request to write or to read: all servers take as many.
pub(super) const PIECE: u32 = 32 << 10;
/// What the program says of why it failed: the end of that much is told.
const COMPLAINT: u64 = 16 << 10;
/// How long it may take to end that has nobody to talk to any more.
const FAREWELL: Duration = Duration::from_secs(2);

pub(super) struct Session {
    pub(super) sftp: RawSftpSession,
    /// It is ended with this.
    _ssh: Child,
    /// Whether a file can be renamed over another one.
    pub(super) replaces: bool,
    /// Whether a file can be made to last.
    pub(super) syncs: bool,
}

impl Session {
    /// Connects and logs in; each answer later may take `patience`.
    pub(super) async fn open(options: &SftpOptions, patience: Duration) -> Result<Session> {
        let mut ssh = Command::new(&options.program)
            .args(arguments(options)?)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| {
                let program = options.program.display();
                Error::usage(format!("SFTP needs the program {program}: {error}"))
            })?;
        let (Some(input), Some(output), Some(complaints)) =
            (ssh.stdin.take(), ssh.stdout.take(), ssh.stderr.take())
        else {
            return Err(Error::from_fault(Fault::StoreFailed).with_detail("ssh has no pipes"));
        };
        let complaints = tokio::spawn(read(complaints));
        let config =
            Config { request_timeout_secs: patience.as_secs().max(1), ..Config::default() };
        let stream = tokio::io::join(output, input);
        let sftp = RawSftpSession::new_with_config(stream, config);
        let server = match sftp.init().await {
            Ok(server) => server,
            Err(error) => {
                drop(sftp);
                let _ = tokio::time::timeout(FAREWELL, ssh.wait()).await;
                // Not before, since it says so while it ends.
                drop(ssh);
                let said = complaints.await.unwrap_or_default();
                return Err(refused(&said, &error));
            }
        };
        let can = |name: &str| server.extensions.get(name).is_some_and(|version| version == "1");
        let (replaces, syncs) = (can("posix-rename@openssh.com"), can("fsync@openssh.com"));
        Ok(Session { sftp, _ssh: ssh, replaces, syncs })
    }
}

/// All that the program complains of; the rest is thrown away, so that it never waits.
async fn read(complaints: ChildStderr) -> String {
    let mut first = Vec::new();
    let mut complaints = complaints;
    let _ = (&mut complaints).take(COMPLAINT).read_to_end(&mut first).await;
    let _ = tokio::io::copy(&mut complaints, &mut tokio::io::sink()).await;
    String::from_utf8_lossy(&first).into_owned()
}

fn arguments(options: &SftpOptions) -> Result<Vec<OsString>> {
    let mut arguments: Vec<OsString> = Vec::new();
    if let Some(config) = &options.config {
        arguments.extend(["-F".into(), config.into()]);
    }
    let mut set = |setting: String| arguments.extend(["-o".into(), setting.into()]);
    for setting in [
        "BatchMode=yes",
        "StrictHostKeyChecking=yes",
        "ServerAliveInterval=15",
        "LogLevel=ERROR",
        "ClearAllForwardings=yes",
        "ForwardAgent=no",
        "PermitLocalCommand=no",
        "RemoteCommand=none",
        "RequestTTY=no",
    ] {
        set(setting.to_owned());
    }
    if let Some(port) = options.port {
        set(format!("Port={port}"));
    }
    if let Some(user) = &options.user {
        set(format!("User={}", quoted(user)?));
    }
    if let Some(file) = &options.key_file {
        set(format!("IdentityFile={}", path(file)?));
        set("IdentitiesOnly=yes".to_owned());
        set("IdentityAgent=none".to_owned());
    }
    if let Some(file) = &options.known_hosts {
        set(format!("UserKnownHostsFile={}", path(file)?));
        set("GlobalKnownHostsFile=none".to_owned());
    }
    arguments.extend(["-s".into(), "--".into(), (&options.host).into(), "sftp".into()]);
    Ok(arguments)
}

/// A path as a value, in which nothing is put for anything else.
fn path(path: &Path) -> Result<String> {
    let text = path.to_str().filter(|text| !text.contains("${") && !text.starts_with('~'));
    match text {
        Some(text) => quoted(&text.replace('%', "%%")),
        None => Err(Error::usage(format!("ssh takes no such path: {}", path.display()))),
    }
}

fn quoted(text: &str) -> Result<String> {
    if text.is_empty() || text.contains(['"', '\\', '\n', '\r']) {
        return Err(Error::usage(format!("ssh takes no \"{}\"", printable(text.as_bytes()))));
    }
    Ok(format!("\"{text}\""))
}

/// Why no connection came about, as the program says it.
fn refused(said: &str, error: &SftpError) -> Error {
    let denied = ["Permission denied", "Host key verification failed", "host key is known"];
    let fault = match denied.iter().any(|words| said.contains(words)) {
        true => Fault::StoreDenied,
        false => Fault::StoreUnavailable,
    };
    let lines = said.lines().map(str::trim).filter(|line| !line.is_empty());
    let lines: Vec<String> = lines.map(|line| line.escape_debug().to_string()).collect();
    let last = lines.get(lines.len().saturating_sub(3)..).unwrap_or_default().join("; ");
    let why = if last.is_empty() { error.to_string() } else { last };
    Error::from_fault(fault).with_detail(format!("ssh: {why}"))
}

/// An answer of the server, or that there was none.
pub(super) fn told(error: SftpError) -> Error {
    let fault = match &error {
        SftpError::Status(status) => match status.status_code {
            StatusCode::NoSuchFile => Fault::ObjectMissing,
            StatusCode::PermissionDenied => Fault::StoreDenied,
            StatusCode::NoConnection | StatusCode::ConnectionLost => Fault::StoreUnavailable,
            _ => Fault::StoreFailed,
        },
        SftpError::Limited(_) | SftpError::UnexpectedPacket => Fault::StoreFailed,
        // A channel that was closed under a request is told as unexpected, too.
        SftpError::IO(_) | SftpError::Timeout | SftpError::UnexpectedBehavior(_) => {
            Fault::StoreUnavailable
        }
    };
    Error::from_fault(fault).with_detail(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_is_one_argument_each_and_means_nothing_else() {
        let options = SftpOptions::new("-oProxyCommand=x", "r")
            .port(2222)
            .user("a b")
            .key_file("/k %d")
            .known_hosts("/h");
        let arguments = arguments(&options).unwrap();
        let has =
            |setting: &str| arguments.windows(2).any(|pair| pair[0] == "-o" && pair[1] == *setting);
        assert!(has("Port=2222") && has("User=\"a b\"") && has("IdentityFile=\"/k %%d\""));
        assert!(has("UserKnownHostsFile=\"/h\"") && has("GlobalKnownHostsFile=none"));
        assert!(has("BatchMode=yes") && has("StrictHostKeyChecking=yes"));
        assert!(arguments.ends_with(&["--", "-oProxyCommand=x", "sftp"].map(OsString::from)));
        for bad in ["", "a\"b", "a\\", "a\nb"] {
            assert!(super::arguments(&SftpOptions::new("h", "r").user(bad)).is_err(), "{bad:?}");
        }
        for bad in ["/${HOME}/k", "~/k"] {
            assert!(super::arguments(&SftpOptions::new("h", "r").key_file(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_ssh_says_is_told_and_what_it_means_is_known() {
        let told = |said| refused(said, &SftpError::Timeout);
        let error = told("a@h: Permission denied (publickey).\r\n");
        assert_eq!(error.fault(), Some(Fault::StoreDenied));
        assert!(error.to_string().contains("(publickey)"), "{error}");
        let error = told("ssh: connect to host h port 22: Connection refused\n");
        assert_eq!(error.fault(), Some(Fault::StoreUnavailable));
        assert!(told("").to_string().contains("Timeout"));
        assert!(!told("a\x1b[2Jb").to_string().contains('\x1b'));
    }
}
