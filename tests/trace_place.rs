//! Where a trace lies while it is recorded: directories that vanish, move, fill up or belong to others.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::panic::{catch_unwind, resume_unwind};
use std::path::Path;
use std::process::Command;

use energy_prof::trace::{Ending, Existing, Owner, Session, TraceError, TraceReader, TraceWriter};

use crate::support::recorded_seconds::{
    assert_has_seconds, ended, file_names, finished, place, second,
};
use crate::support::skip::skip;

#[test]
fn a_directory_removed_while_recording_is_told_and_nothing_is_made_elsewhere() {
    let (root, dir) = place();
    let mut writer =
        TraceWriter::create(&dir, Existing::KeepAsOld, None, &Session::default()).unwrap();
    writer.append(second(0));
    writer.seal().unwrap();
    fs::remove_dir_all(&dir).unwrap();
    // Another directory of that name is not ours.
    fs::create_dir_all(dir.join("parts")).unwrap();
    writer.append(second(1));
    let error = writer.seal().unwrap_err().to_string();
    assert!(error.contains("its directory was removed"), "{error}");
    assert!(writer.finish(&ended("duration reached")).is_err());
    assert_eq!(file_names(&dir.join("parts")), Vec::<String>::new());
    assert_eq!(file_names(root.path()), ["energy.trace"]);
}

#[test]
fn a_failed_seal_keeps_its_rows_for_the_next() {
    let (_root, dir) = place();
    let mut writer =
        TraceWriter::create(&dir, Existing::KeepAsOld, None, &Session::default()).unwrap();
    writer.append(second(0));
    // The window part of the first seal cannot be put into place: a directory stands there.
    let obstacle = dir.join("parts/windows.000001.parquet");
    fs::create_dir(&obstacle).unwrap();
    assert!(writer.seal().is_err());
    fs::remove_dir(&obstacle).unwrap();
    writer.seal().unwrap();
    assert!(!file_names(&dir.join("parts")).iter().any(|name| name.contains("tmp")));
    writer.append(second(1));
    writer.finish(&ended("duration reached")).unwrap();
    assert_has_seconds(&TraceReader::open(&dir).unwrap(), 2);
}

#[test]
fn a_trace_moved_while_recording_is_recorded_to_its_end() {
    let (root, dir) = place();
    let mut writer =
        TraceWriter::create(&dir, Existing::KeepAsOld, None, &Session::default()).unwrap();
    writer.append(second(0));
    writer.seal().unwrap();
    let moved = root.path().join("moved");
    fs::rename(&dir, &moved).unwrap();
    writer.append(second(1));
    writer.finish(&ended("duration reached")).unwrap();
    assert_has_seconds(&TraceReader::open(&moved).unwrap(), 2);
}

#[test]
fn a_directory_that_cannot_be_written_is_refused_with_a_way_out() {
    // Root writes everywhere, save into the kernel's own trees.
    let denied = Path::new("/proc/energy.trace");
    let error = TraceWriter::create(denied, Existing::KeepAsOld, None, &Session::default())
        .err()
        .unwrap()
        .to_string();
    assert!(error.starts_with("cannot create /proc/energy.trace: "), "{error}");
    assert!(error.contains("with -o"), "{error}");

    let root = tempfile::tempdir().unwrap();
    fs::set_permissions(root.path(), fs::Permissions::from_mode(0o500)).unwrap();
    let probe = fs::write(root.path().join("probe"), "");
    let dir = root.path().join("energy.trace");
    match TraceWriter::create(&dir, Existing::KeepAsOld, None, &Session::default()) {
        Err(error) => {
            let error = error.to_string();
            assert!(error.contains("permission denied; choose a directory"), "{error}");
        }
        Ok(_) => assert!(probe.is_ok(), "only root may write there"),
    }
}

#[test]
fn a_full_disk_leaves_what_was_sealed() {
    let disk = tempfile::tempdir().unwrap();
    let mount = |program: &str, arguments: &[&str]| {
        let status = Command::new(program).args(arguments).arg(disk.path()).output();
        status.is_ok_and(|output| output.status.success())
    };
    if !mount("mount", &["-t", "tmpfs", "-o", "size=400k", "tmpfs"]) {
        skip("only root can mount a small disk");
        return;
    }
    let dir = disk.path().join("energy.trace");
    let recorded = catch_unwind(|| {
        let mut writer =
            TraceWriter::create(&dir, Existing::KeepAsOld, None, &Session::default()).unwrap();
        let mut sealed = 0;
        let error = loop {
            writer.append(second(sealed));
            match writer.seal() {
                Ok(()) => sealed += 1,
                Err(error) => break error,
            }
        };
        assert!(matches!(&error, TraceError::Write { kind: ErrorKind::StorageFull, .. }));
        assert!(error.to_string().contains("no space left on the disk; free some space"));
        assert!(writer.finish(&ended("duration reached")).is_err());
        assert!(sealed > 3);
        let reader = TraceReader::open(&dir).unwrap();
        assert_has_seconds(&reader, sealed);
        assert!(!matches!(reader.ending(), Ending::Complete(_)));
    });
    assert!(mount("umount", &[]));
    recorded.unwrap_or_else(|failure| resume_unwind(failure));
}

#[test]
fn an_older_trace_is_kept_or_overwritten_as_asked() {
    let (root, dir) = place();
    finished(&dir, vec![second(0)]);
    finished(&dir, vec![second(0), second(1)]);
    let old = root.path().join("energy.trace.old");
    assert_has_seconds(&TraceReader::open(&old).unwrap(), 1);
    assert_has_seconds(&TraceReader::open(&dir).unwrap(), 2);
    drop(TraceWriter::create(&dir, Existing::Overwrite, None, &Session::default()).unwrap());
    assert_has_seconds(&TraceReader::open(&dir).unwrap(), 0);
    assert_has_seconds(&TraceReader::open(&old).unwrap(), 1);
}

#[test]
fn another_recording_does_not_take_the_directory() {
    let (_root, dir) = place();
    let _first = TraceWriter::create(&dir, Existing::KeepAsOld, None, &Session::default()).unwrap();
    let error = TraceWriter::create(&dir, Existing::KeepAsOld, None, &Session::default()).err();
    assert!(matches!(error, Some(TraceError::Busy { .. })));
}

#[test]
fn every_file_belongs_to_the_owner_and_to_no_one_else() {
    let (root, dir) = place();
    // Root can give files away; everyone else can give them to themselves.
    let me = fs::metadata(root.path()).unwrap();
    let owner = if me.uid() == 0 {
        Owner { uid: 12345, gid: 54321 }
    } else {
        Owner { uid: me.uid(), gid: me.gid() }
    };
    let check = |path: &Path| {
        let metadata = fs::metadata(path).unwrap();
        assert_eq!((metadata.uid(), metadata.gid()), (owner.uid, owner.gid), "{}", path.display());
        assert_eq!(metadata.mode() & 0o077, 0, "{}", path.display());
    };
    let session = Session::default();
    let mut writer = TraceWriter::create(&dir, Existing::KeepAsOld, Some(owner), &session).unwrap();
    writer.append(second(0));
    writer.seal().unwrap();
    check(&dir);
    check(&dir.join("parts"));
    check(&dir.join("parts/energy.000001.parquet"));
    writer.finish(&ended("duration reached")).unwrap();
    TraceReader::open(&dir).unwrap().write_attributed::<TraceError>([]).unwrap();
    for name in file_names(&dir) {
        check(&dir.join(name));
    }
}
