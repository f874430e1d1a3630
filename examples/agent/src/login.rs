//! What OpenSSH's client needs to log in.

use std::error::Error;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use russh::keys::ssh_key::{self, LineEnding};
use russh::keys::{Algorithm, PrivateKey};
use tempfile::TempDir;

pub(crate) fn new_key() -> Result<PrivateKey, ssh_key::Error> {
    PrivateKey::random(&mut rand::rng(), Algorithm::Ed25519)
}

/// A directory that only this user can read, with a key and a config that names it. It goes when this is
/// dropped.
#[derive(Debug)]
pub(crate) struct Login(TempDir);

impl Login {
    pub(crate) fn write(client: &PrivateKey, host: &PrivateKey, port: u16) -> Result<Self, Box<dyn Error>> {
        let private = Permissions::from_mode(0o700);
        let mut directory = tempfile::Builder::new();
        directory.prefix("agent-").permissions(private.clone());
        let login = Self(directory.tempdir()?);
        // A umask can only take away, but it may take away too much.
        fs::set_permissions(login.0.path(), private)?;

        let (key, known_hosts) = (login.path("key"), login.path("known_hosts"));
        client.write_openssh_file(Path::new(&key), LineEnding::LF)?;
        let host = host.public_key().to_openssh()?;
        fs::write(&known_hosts, format!("[127.0.0.1]:{port} {host}\n"))?;
        fs::write(
            login.path("ssh_config"),
            format!(
                "Host agent\n\
                 HostName 127.0.0.1\n\
                 Port {port}\n\
                 User agent\n\
                 IdentityFile {}\n\
                 IdentitiesOnly yes\n\
                 UserKnownHostsFile {}\n\
                 LogLevel ERROR\n",
                in_config(&key),
                in_config(&known_hosts)
            ),
        )?;
        Ok(login)
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    pub(crate) fn command(&self) -> String {
        format!("ssh -F {} agent", in_shell(&self.path("ssh_config")))
    }
}

/// A path as `ssh_config` reads it, where `%` begins a token.
fn in_config(path: &str) -> String {
    let path = path.replace('\\', r"\\").replace('"', "\\\"");
    format!("\"{}\"", path.replace('%', "%%"))
}

/// A path as one word for a shell.
fn in_shell(path: &str) -> String {
    format!("'{}'", path.replace('\'', r"'\''"))
}
