use proptest::prelude::*;

use super::*;

fn part(first: u64, last: u64) -> Selection {
    Selection::Part(ByteRange::new(first, last).unwrap())
}

#[test]
fn range_headers_select_a_part() {
    for (header, total, selected) in [
        ("bytes=0-0", 10, part(0, 0)),
        ("bytes=0-9", 10, part(0, 9)),
        ("bytes=0-10", 10, part(0, 9)),
        ("bytes=3-5", 10, part(3, 5)),
        ("bytes=9-", 10, part(9, 9)),
        ("bytes=0-", 10, part(0, 9)),
        ("bytes=-1", 10, part(9, 9)),
        ("bytes=-10", 10, part(0, 9)),
        ("bytes=-11", 10, part(0, 9)),
        ("BYTES=1-2", 10, part(1, 2)),
        (" bytes= 1-2 ", 10, part(1, 2)),
        ("bytes=007-008", 10, part(7, 8)),
        ("bytes=1-99999999999999999999999999", 10, part(1, 9)),
        ("bytes=-99999999999999999999999999", 10, part(0, 9)),
        (
            "bytes=0-18446744073709551615",
            u64::MAX,
            part(0, u64::MAX - 1),
        ),
    ] {
        assert_eq!(
            ByteRange::parse(header, total),
            selected,
            "{header:?} of {total}"
        );
    }
}

#[test]
fn ranges_past_the_end_are_unsatisfiable() {
    for (header, total) in [
        ("bytes=10-", 10),
        ("bytes=10-12", 10),
        ("bytes=-0", 10),
        ("bytes=-0", 0),
        ("bytes=0-", 0),
        ("bytes=0-0", 0),
        ("bytes=99999999999999999999999999-", 10),
        ("bytes=18446744073709551615-", u64::MAX),
    ] {
        assert_eq!(
            ByteRange::parse(header, total),
            Selection::Unsatisfiable,
            "{header:?} of {total}"
        );
    }
}

#[test]
fn other_headers_are_ignored() {
    for header in [
        "",
        "bytes",
        "bytes=",
        "bytes=-",
        "bytes=a-b",
        "bytes=1",
        "bytes=5-3",
        "bytes=1-2,4-5",
        "bytes=1-2,",
        "bytes=-1-2",
        "bytes=+1-2",
        "bytes=1-+2",
        "bytes=1--2",
        "bytes=1 - 2",
        "items=1-2",
        "bytes 1-2",
        "bytes=1-2/10",
        "bytes=٣-٤",
    ] {
        assert_eq!(ByteRange::parse(header, 10), Selection::Whole, "{header:?}");
    }
    assert_eq!(ByteRange::parse("bytes=-5", 0), Selection::Whole);
}

#[test]
fn chunks_announce_their_range_in_three_forms() {
    for text in [
        "3-5",
        "bytes 3-5/*",
        "bytes 3-5/10",
        "bytes=3-5",
        "Bytes 3-5/*",
        " 3-5 ",
        "03-005",
    ] {
        let range: ContentRange = text.parse().unwrap();
        assert_eq!(
            (range.first(), range.last(), range.len()),
            (3, 5, 3),
            "{text:?}"
        );
        assert_eq!(range.to_string(), "3-5");
    }
    let longest: ContentRange = "0-9223372036854775807".parse().unwrap();
    assert_eq!(longest.len(), 1 << 63);
}

#[test]
fn malformed_chunk_ranges_are_refused() {
    for text in [
        "",
        "-",
        "3",
        "3-",
        "-5",
        "5-3",
        "a-b",
        "3-5-7",
        "+3-5",
        "3-+5",
        "3 - 5",
        "bytes",
        "bytes ",
        "bytes 3-5",
        "bytes */10",
        "bytes 3-5/",
        "bytes 3-5/x",
        "bytes=3-5/10",
        "items 3-5/*",
        "0-9223372036854775808",
        "0-18446744073709551615",
        "18446744073709551615-18446744073709551616",
        "bytesé3-5",
    ] {
        assert_eq!(
            text.parse::<ContentRange>(),
            Err(InvalidContentRange),
            "{text:?}"
        );
    }
}

proptest! {
    #[test]
    fn a_selected_part_lies_within_the_body(header in "bytes=[0-9]{0,3}-[0-9]{0,3}", total in 0_u64..1200) {
        if let Selection::Part(range) = ByteRange::parse(&header, total) {
            prop_assert!(range.first() <= range.last() && range.last() < total);
            prop_assert!(range.len() >= 1 && range.len() <= total);
            prop_assert_eq!(ByteRange::parse(&format!("bytes={range}"), total), Selection::Part(range));
        }
    }

    #[test]
    fn an_inner_range_is_selected_as_it_is(first in 0_u64..1000, len in 1_u64..1000, after in 0_u64..1000) {
        let last = first + len - 1;
        prop_assert_eq!(ByteRange::parse(&format!("bytes={first}-{last}"), last + 1 + after), part(first, last));
    }

    #[test]
    fn content_ranges_round_trip(first in 0_u64..1 << 62, len in 0_u64..1 << 62) {
        let text = format!("{first}-{}", first + len);
        prop_assert_eq!(text.parse::<ContentRange>().unwrap().to_string(), text);
    }
}
