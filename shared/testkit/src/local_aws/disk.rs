//! Tells a full disk as that. What fails because of it says something else, or nothing, since its log is on that disk.

use std::io::{self, ErrorKind, Write};
use std::path::Path;

use crate::Error;

/// As much as a log or a package of Python is long.
static PROBE: [u8; 64 * 1024] = [0; 64 * 1024];

/// The error, behind the full disk if nothing more can be written to `folder`.
pub fn explained(error: Error, folder: &Path) -> Error {
    match is_full(folder) {
        Some(full) => Error::new(format!(
            "nothing more can be written to the disk of {} ({full}): make room, for example with cargo clean, and try again\n{error}",
            folder.display()
        )),
        None => error,
    }
}

/// What a write is answered with because there is no room: on the disk, in a quota, or in a limit of the shell.
fn is_full(folder: &Path) -> Option<io::Error> {
    let probe = || {
        let mut file = tempfile::tempfile_in(folder)?;
        file.write_all(&PROBE)?;
        // Some file systems say it only then.
        file.sync_all()
    };
    let full = [ErrorKind::StorageFull, ErrorKind::QuotaExceeded, ErrorKind::FileTooLarge];
    probe().err().filter(|it| full.contains(&it.kind()))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::process::Command;

    use super::super::{commands::Commands, folders::target_dir, python, server::Server};
    use super::*;

    #[test]
    fn a_full_disk_is_told_where_a_program_is_installed_and_where_the_local_aws_is_started() {
        let folder = tempfile::tempdir().expect("a folder");
        if is_full(folder.path()).is_none() {
            // This test once more, where no file may be longer than a kilobyte: that needs no disk to fill and no root.
            // Without the trap the signal of the limit would end the program.
            let limited = "ulimit -f 1; trap '' XFSZ; exec \"$0\" --exact \"$1\" --nocapture";
            let test = "local_aws::disk::tests::\
                        a_full_disk_is_told_where_a_program_is_installed_and_where_the_local_aws_is_started";
            let me = std::env::current_exe().expect("this program");
            let output = Command::new("sh").args(["-c", limited]).arg(me).arg(test).output().expect("there is a shell");
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success() && said.contains("1 passed"), "{said}");
            return;
        }
        let told = |error: Option<Error>| {
            let error = error.expect("it fails").to_string();
            assert!(error.starts_with("nothing more can be written to the disk of "), "{error}");
            assert!(error.contains("make room"), "{error}");
        };
        let commands = Commands { progress: &|_| (), stop: &|| false };
        told(python::SERVER.install_into(folder.path(), &commands).err());

        let launcher = folder.path().join("python");
        fs::write(&launcher, "#!/bin/sh\nexit 1\n").expect("it is short");
        fs::set_permissions(&launcher, fs::Permissions::from_mode(0o755)).expect("it can be run");
        fs::create_dir_all(target_dir().join("local-aws")).expect("a folder has no length");
        told(Server::start(&launcher, false).err());
    }

    #[test]
    fn what_has_another_reason_is_told_as_it_is() {
        let folder = tempfile::tempdir().expect("a folder");
        for there in [folder.path(), Path::new("/nonexistent")] {
            assert_eq!(explained(Error::new("it did not start"), there).to_string(), "it did not start");
        }
    }
}
