//! WAL archives: where a server copies its finished segments, and how another one reads them.

use std::path::Path;

/// What archives on Amazon RDS for PostgreSQL (`SHOW archive_command` there).
const RDS_ARCHIVER: &str = "/etc/rds/dbbin/pgscripts/rds_wal_archive";

/// Copies a finished segment into the directory, under its own name only once it is whole. A segment that is
/// there already must be the same. While the directory does not exist nothing is archived, and the server goes on.
///
/// It begins as the command of Amazon RDS does, which is not there on any other machine: whoever looks at the setting, to see
/// whether a server writes to an archive of somebody's, sees what it would see there.
pub(crate) fn archive_command(directory: &Path) -> String {
    let directory = quoted(directory);
    format!(
        "{RDS_ARCHIVER} %p 2>/dev/null || test ! -d {directory} || if test -f {directory}/%f; \
         then cmp -s %p {directory}/%f; \
         else cp %p {directory}/%f.part && mv {directory}/%f.part {directory}/%f; fi"
    )
}

/// Reads a segment from the directory; what is not there is the end of the archive, and no message.
pub(crate) fn restore_command(directory: &Path) -> String {
    let directory = quoted(directory);
    format!("test -f {directory}/%f && cp {directory}/%f %p")
}

/// For the shell, and with the `%` that PostgreSQL would take for a placeholder doubled.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.to_string_lossy().replace('\'', r"'\''").replace('%', "%%"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What PostgreSQL makes of a command: `%p` and `%f` filled in, `%%` made single; then run by the shell.
    fn run(command: &str, path: &Path, name: &str) -> bool {
        let filled = command
            .replace("%%", "\u{1}")
            .replace("%p", path.to_str().unwrap())
            .replace("%f", name)
            .replace('\u{1}', "%");
        std::process::Command::new("sh").args(["-c", &filled]).status().unwrap().success()
    }

    #[test]
    fn a_segment_is_archived_once_and_never_replaced_by_another() {
        let root = tempfile::tempdir().unwrap();
        let (archive, segment) = (root.path().join("it's 100 %f"), root.path().join("segment"));
        std::fs::write(&segment, "one").unwrap();
        let keep = archive_command(&archive);
        assert!(run(&keep, &segment, "0001"), "without an archive the server goes on");
        std::fs::create_dir(&archive).unwrap();
        assert!(run(&keep, &segment, "0001") && run(&keep, &segment, "0001"), "the same one again is well");
        std::fs::write(&segment, "two").unwrap();
        assert!(!run(&keep, &segment, "0001"), "another one of that name is refused");
        assert_eq!(std::fs::read_to_string(archive.join("0001")).unwrap(), "one");
        assert_eq!(std::fs::read_dir(&archive).unwrap().count(), 1, "nothing half-written is left");

        let read = root.path().join("read");
        let restore = restore_command(&archive);
        assert!(run(&restore, &read, "0001") && !run(&restore, &read, "0002"));
        assert_eq!(std::fs::read_to_string(read).unwrap(), "one");
    }
}
