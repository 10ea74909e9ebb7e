//! Sealed objects: what goes in comes out, and nothing else ever does.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod local;

use std::{
    convert::Infallible,
    fs,
    io::Write,
    process::{Command, Stdio},
};

use backup::{
    Meter, OpenError, SealError, Target, TargetTrouble, open_bytes, open_stream, verify_object, verify_sealed,
};
use local::{files, identities, identity_text, installed, manifest, seal, set, target, writer};
use plan::set::{Manifest, Object};
use proptest::prelude::*;
use secrets::{Identities, parse_identities};
use tokio::io::AsyncReadExt;

/// One object in a fresh target.
struct Sealed {
    _directory: tempfile::TempDir,
    target: Target,
    identities: Identities,
    manifest: Manifest,
    object: Object,
}

impl Sealed {
    async fn new(bytes: &[u8]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (target, identities) = (target(directory.path()), identities());
        let writer = writer(&target, &identities, set(1));
        let object = seal(&writer, bytes).await;
        let manifest = manifest(&writer, vec![object.clone()]);
        Self { _directory: directory, target, identities, manifest, object }
    }

    fn path(&self) -> std::path::PathBuf {
        self.target.set_path(&self.manifest.set).unwrap().join(&self.object.name)
    }

    async fn open(&self) -> Result<Vec<u8>, OpenError> {
        open_bytes(&self.target, &self.manifest, &self.object, &self.identities)
            .await
            .map(|bytes| bytes.expose().clone())
    }

    async fn verify(&self) -> Result<(), OpenError> {
        let meter = Meter::default();
        verify_object(&self.target, &self.manifest, &self.object, &self.identities, &meter).await
    }
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// Bytes that do not compress.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_u32;
    let step = |_| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[0]
    };
    (0..length).map(step).collect()
}

#[tokio::test]
async fn whoever_watches_sees_every_byte_that_is_sealed_verified_or_opened() {
    let (directory, identities) = (tempfile::tempdir().unwrap(), identities());
    let target = target(directory.path());
    let writer = writer(&target, &identities, set(1));
    let bytes = noise(300_000);
    let object = seal(&writer, &bytes).await;
    assert_eq!(writer.meter.bytes(), 300_000);
    let manifest = manifest(&writer, vec![object.clone()]);

    let meter = Meter::default();
    verify_object(&target, &manifest, &object, &identities, &meter).await.unwrap();
    assert_eq!(meter.bytes(), 300_000);
    meter.reset();
    let mut stream = meter.over(open_stream(&target, &manifest, &object, &identities));
    stream.read_exact(&mut [0; 1000]).await.unwrap();
    assert_eq!(meter.bytes(), 1000);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_stream_comes_back_as_it_went_in(bytes in prop::collection::vec(any::<u8>(), 0..5000), times in 1usize..120) {
        run(async {
            let bytes = bytes.repeat(times);
            let sealed = Sealed::new(&bytes).await;
            assert_eq!(sealed.open().await.unwrap(), bytes);
            sealed.verify().await.unwrap();
        });
    }
}

#[test]
fn one_flipped_byte_anywhere_is_refused_before_the_end() {
    run(async {
        let sealed = Sealed::new(b"one row\n").await;
        let whole = fs::read(sealed.path()).unwrap();
        for at in 0..whole.len() {
            let mut flipped = whole.clone();
            flipped[at] ^= 1;
            fs::write(sealed.path(), &flipped).unwrap();
            let refused = sealed.open().await.unwrap_err();
            assert!(matches!(refused, OpenError::Damaged { .. }), "byte {at}: {refused:?}");
        }
        fs::write(sealed.path(), &whole).unwrap();
        sealed.verify().await.unwrap();
    });
}

#[test]
fn a_flip_in_a_long_object_is_refused_wherever_it_is() {
    run(async {
        let sealed = Sealed::new(&noise(700_000)).await;
        let whole = fs::read(sealed.path()).unwrap();
        for at in (0..whole.len()).step_by(65_521) {
            let mut flipped = whole.clone();
            flipped[at] ^= 0x80;
            fs::write(sealed.path(), &flipped).unwrap();
            assert!(matches!(sealed.verify().await, Err(OpenError::Damaged { .. })), "byte {at}");
            let unopened = verify_sealed(&sealed.target, &sealed.manifest, &sealed.object).await;
            assert!(matches!(unopened, Err(OpenError::Damaged { .. })), "byte {at}");
        }
    });
}

#[test]
fn an_object_cut_anywhere_is_called_truncated() {
    run(async {
        let sealed = Sealed::new(&noise(200_000)).await;
        let whole = fs::read(sealed.path()).unwrap();
        // Chunks of age end at 64 KiB: cuts there are whole chunks without the last one.
        let chunks = (0..3).map(|n| whole.len() - (whole.len() % 65_552) - n * 65_552);
        for length in (0..whole.len()).step_by(9_973).chain(chunks).chain([whole.len() - 1]) {
            fs::write(sealed.path(), &whole[..length]).unwrap();
            let refused = sealed.open().await.unwrap_err();
            assert!(
                matches!(refused, OpenError::Truncated { found, .. } if found == length as u64),
                "{refused:?}"
            );
        }
        fs::write(sealed.path(), [whole.as_slice(), b"more"].concat()).unwrap();
        assert!(matches!(sealed.open().await, Err(OpenError::Damaged { .. })));
    });
}

#[test]
fn a_reader_never_sees_a_clean_end_of_what_is_not_whole() {
    run(async {
        // Whole as age and zstd see it: only the manifest knows that it should be another.
        let mut sealed = Sealed::new(&noise(300_000)).await;
        sealed.object.plain_sha256 = "0".repeat(64);
        let mut stream = open_stream(&sealed.target, &sealed.manifest, &sealed.object, &sealed.identities);
        let mut seen = Vec::new();
        let err = stream.read_to_end(&mut seen).await.unwrap_err();
        assert!(err.to_string().contains("what it holds is not what the manifest says"), "{err}");
        // And asking again does not turn the error into an end.
        assert!(stream.read_to_end(&mut seen).await.is_err());
    });
}

#[test]
fn the_wrong_identity_is_told_from_damage() {
    run(async {
        let mut sealed = Sealed::new(b"a row").await;
        let right = std::mem::replace(&mut sealed.identities, identities());
        let refused = sealed.open().await.unwrap_err();
        assert!(matches!(&refused, OpenError::WrongIdentity { .. }), "{refused:?}");
        assert_eq!(
            refused.to_string(),
            format!(
                "none of the identities given opens `secrets.json.zst.age`: it is sealed to {}",
                right.recipients()[0]
            )
        );
        let mut flipped = fs::read(sealed.path()).unwrap();
        flipped[40] ^= 1;
        fs::write(sealed.path(), flipped).unwrap();
        assert!(matches!(sealed.open().await, Err(OpenError::Damaged { .. })));
    });
}

#[test]
fn an_object_of_another_set_is_refused_even_where_the_manifest_names_its_hash() {
    run(async {
        let mut sealed = Sealed::new(b"today").await;
        let older = writer(&sealed.target, &sealed.identities, set(2));
        let other = seal(&older, b"yesterday").await;
        let from = sealed.target.set_path(&older.set).unwrap().join(&other.name);
        fs::copy(from, sealed.path()).unwrap();
        // A manifest that was signed again after the exchange: every hash in it fits.
        sealed.object = other;
        let refused = sealed.open().await.unwrap_err();
        assert!(
            matches!(&refused, OpenError::OtherObject { found_set, .. } if *found_set == set(2)),
            "{refused:?}"
        );
    });
}

#[test]
fn an_object_in_the_place_of_another_of_the_same_set_is_refused() {
    run(async {
        let sealed = Sealed::new(b"secret values").await;
        let writer = writer(&sealed.target, &sealed.identities, set(1));
        let tar = secrets::Secret::new(b"a tar".to_vec());
        let release = writer.release(&tar, jiff::Timestamp::UNIX_EPOCH).await.unwrap();
        let release_path = sealed.target.set_path(&set(1)).unwrap().join(&release.name);
        fs::copy(release_path, sealed.path()).unwrap();
        let mixed = Object { name: sealed.object.name.clone(), ..release };
        let refused =
            open_bytes(&sealed.target, &sealed.manifest, &mixed, &sealed.identities).await.unwrap_err();
        assert_eq!(
            refused.to_string(),
            format!(
                "`secrets.json.zst.age` of set {} is really `release.tar.zst.age` of set {}",
                set(1),
                set(1)
            )
        );
    });
}

#[test]
fn an_object_that_is_gone_is_missing_and_a_name_never_leads_outside() {
    run(async {
        let mut sealed = Sealed::new(b"a row").await;
        fs::remove_file(sealed.path()).unwrap();
        let Err(OpenError::Target(missing)) = sealed.open().await else { panic!("it opened") };
        assert_eq!(missing.trouble, TargetTrouble::Missing);
        for name in ["../../chain.json", ".hidden", "", "/etc/passwd", "manifest.json"] {
            sealed.object.name = name.into();
            let Err(OpenError::Target(refused)) = sealed.open().await else { panic!("it opened {name}") };
            assert_eq!(refused.trouble, TargetTrouble::Damaged, "{name}");
        }
    });
}

#[test]
fn a_source_that_fails_at_its_end_leaves_no_object() {
    run(async {
        let directory = tempfile::tempdir().unwrap();
        let writer = writer(&target(directory.path()), &identities(), set(1));
        let exit = async { Err::<(), _>("pg_dump ended with 1") };
        let failed = writer.seal_stream("db.dump.zst.age", &b"half a dump"[..], exit).await.unwrap_err();
        assert!(
            matches!(&failed, SealError::Source { err, .. } if err.to_string() == "pg_dump ended with 1")
        );
        assert!(files(directory.path()).is_empty(), "{:?}", files(directory.path()).keys());
    });
}

#[test]
fn a_source_that_breaks_leaves_no_object() {
    struct Breaks(usize);
    impl tokio::io::AsyncRead for Breaks {
        fn poll_read(
            mut self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
            buffer: &mut tokio::io::ReadBuf<'_>,
        ) -> std::task::Poll<std::io::Result<()>> {
            self.0 += 1;
            let length = buffer.remaining().min(1000);
            buffer.put_slice(&[0; 1000][..length]);
            let broken = Err(std::io::ErrorKind::ConnectionReset.into());
            std::task::Poll::Ready(if self.0 < 1000 { Ok(()) } else { broken })
        }
    }
    run(async {
        let directory = tempfile::tempdir().unwrap();
        let writer = writer(&target(directory.path()), &identities(), set(1));
        let whole = async { Ok::<_, Infallible>(()) };
        let failed = writer.seal_stream("db.dump.zst.age", Breaks(0), whole).await.unwrap_err();
        assert!(matches!(failed, SealError::Read { .. }), "{failed:?}");
        assert!(files(directory.path()).is_empty());
    });
}

#[test]
fn every_target_gets_the_same_bytes_and_doing_it_again_replaces_them() {
    run(async {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let identities = identities();
        let mut writer = writer(&target(one.path()), &identities, set(1));
        writer.targets.push(target(two.path()));
        seal(&writer, b"first try").await;
        let object = seal(&writer, b"second try").await;
        assert_eq!(files(one.path()), files(two.path()));
        assert_eq!(files(one.path()).len(), 1);
        let manifest = manifest(&writer, vec![object.clone()]);
        let bytes = open_bytes(&writer.targets[1], &manifest, &object, &identities).await.unwrap();
        assert_eq!(bytes.expose(), b"second try");
    });
}

#[test]
fn stock_age_and_zstd_give_the_plaintext() {
    if !installed(&["age", "zstd"]) {
        return;
    }
    run(async {
        let directory = tempfile::tempdir().unwrap();
        let key = identity_text();
        let identities = parse_identities(&key).unwrap();
        let (target, plain) = (target(directory.path()), noise(300_000));
        let writer = writer(&target, &identities, set(1));
        let object = seal(&writer, &plain).await;
        let path = target.set_path(&set(1)).unwrap().join(&object.name);
        let mut age = Command::new("age")
            .args(["--decrypt", "--identity", "-"])
            .arg(path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        age.stdin.take().unwrap().write_all(key.as_bytes()).unwrap();
        let opened = age.stdout.take().unwrap();
        let zstd = Command::new("zstd").args(["-d", "-c"]).stdin(opened).output().unwrap();
        assert!(age.wait().unwrap().success() && zstd.status.success());
        assert_eq!(zstd.stdout, plain);
    });
}
