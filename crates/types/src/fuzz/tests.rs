//! Feeds the fuzz functions with seeded inputs: kept ones, mutations of them, and noise.

use super::*;

/// Texts near the grammars, from which mutation reaches both sides of every rule.
const TEXTS: [&str; 24] = [
    "team/app",
    "a-b__c.d/e",
    "v1.0.0-rc_1",
    "latest",
    "dev-*",
    "123456789012",
    "eu-central-1",
    "application/vnd.oci.image.manifest.v1+json; charset=utf-8",
    "0192f0c1-2b3d-7c4e-8f50-0a1b2c3d4e5f",
    "arn:aws:ecr:eu-central-1:123456789012:repository/team/app",
    "arn:aws-cn:ecr-public::123456789012:repository/app",
    "arn:aws:iam::123456789012:user/team/alice",
    "arn:aws:sts::123456789012:assumed-role/ci/run-1",
    "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "sha512:cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e",
    "bytes=0-9",
    "bytes=-5",
    "bytes=18446744073709551614-18446744073709551615",
    "bytes 0-9223372036854775807/*",
    "3-5",
    r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","size":2},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","size":7,"urls":["u"]}],"annotations":{"a":"b"}}"#,
    r#"{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","size":2,"artifactType":"a/b"}],"subject":null}"#,
    r#"{"schemaVersion":1,"fsLayers":[{"blobSum":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}],"signatures":[]}"#,
    r#"{"mediaType":"application/vnd.cncf.oras.artifact.manifest.v1+json","artifactType":"a/b","blobs":[],"annotations":{"c":"\u0000"}}"#,
];

/// Pieces that mutation puts in: what grammars divide by, and what parsers stumble over.
const PIECES: [&str; 20] = [
    "/",
    "-",
    "_",
    "__",
    ".",
    ":",
    "*",
    "\0",
    "é",
    "ſ",
    "\\u0000",
    "null",
    "[]",
    "{}",
    "\"",
    ",",
    "\"manifests\":[],",
    "\"Layers\":[],",
    "18446744073709551616",
    "-1",
];

/// The `SplitMix64` generator: enough for tests, and the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(n.max(1)).unwrap()).unwrap()
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }

    fn input(&mut self) -> Vec<u8> {
        if self.below(8) == 0 {
            let len = self.below(80);
            return (0..len).map(|_| self.byte()).collect();
        }
        let mut input = TEXTS[self.below(TEXTS.len())].as_bytes().to_vec();
        for _ in 0..self.below(4) {
            self.mutate(&mut input);
        }
        input
    }

    fn mutate(&mut self, input: &mut Vec<u8>) {
        let start = self.below(input.len() + 1);
        let end = (start + self.below(9)).min(input.len());
        match self.below(6) {
            0 => drop(input.drain(start..end)),
            1 => drop(input.splice(start..end, PIECES[self.below(PIECES.len())].bytes())),
            2 => drop(input.splice(start..start, PIECES[self.below(PIECES.len())].bytes())),
            3 => input.extend_from_within(start..end),
            4 => input.extend_from_slice(TEXTS[self.below(TEXTS.len())].as_bytes()),
            _ => input
                .get_mut(start)
                .into_iter()
                .for_each(|byte| *byte = byte.wrapping_add(1) & 0x7f),
        }
    }
}

fn n_inputs() -> u64 {
    let wanted = std::env::var("LONGSHORE_FUZZ_INPUTS").ok();
    wanted.map_or(20_000, |text| {
        text.parse().expect("LONGSHORE_FUZZ_INPUTS is a number")
    })
}

#[test]
fn kept_inputs_hold() {
    for text in TEXTS.iter().chain(&PIECES) {
        for fuzz in [fuzz_names, fuzz_digest, fuzz_range, fuzz_manifest] {
            fuzz(text.as_bytes());
        }
    }
}

#[test]
fn seeded_inputs_hold() {
    let mut random = Random(3);
    for _ in 0..n_inputs() {
        let input = random.input();
        for fuzz in [fuzz_names, fuzz_digest, fuzz_range, fuzz_manifest] {
            fuzz(&input);
        }
    }
}

#[test]
fn seeded_inputs_reach_both_sides_of_the_parsers() {
    let mut random = Random(3);
    let inputs: Vec<_> = (0..20_000).map(|_| random.input()).collect();
    let texts = || {
        inputs
            .iter()
            .filter_map(|input| std::str::from_utf8(input).ok())
    };
    let share = |accepted: usize| (100..19_900).contains(&accepted);
    assert!(share(
        texts()
            .filter(|text| text.parse::<RepositoryName>().is_ok())
            .count()
    ));
    assert!(share(
        texts().filter(|text| text.parse::<Arn>().is_ok()).count()
    ));
    assert!(share(
        texts()
            .filter(|text| text.parse::<Digest>().is_ok())
            .count()
    ));
    assert!(share(
        texts()
            .filter(|text| text.parse::<ContentRange>().is_ok())
            .count()
    ));
    assert!(share(
        inputs
            .iter()
            .filter(|input| Manifest::parse(input, None).is_ok())
            .count()
    ));
}
