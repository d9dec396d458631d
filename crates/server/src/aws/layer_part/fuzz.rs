//! An entry for fuzzing.

use longshore_registry::member::Blob;
use serde::Deserialize;

use super::reader::LayerPartReader;
use crate::aws::json::decode;

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Members {
    upload_id: Option<String>,
}

#[derive(Deserialize)]
struct Whole {
    #[serde(flatten)]
    members: Members,
    #[serde(rename = "layerPartBlob")]
    part: Option<Blob>,
}

/// Reads `data`, but its first byte, in chunks as long as that byte says. What the reader accepts must be what the JSON
/// reader finds in the whole.
pub fn fuzz_layer_part(data: &[u8]) {
    let Some((chunk_len, body)) = data.split_first() else {
        return;
    };
    let (mut reader, mut part) = (LayerPartReader::new(), Vec::new());
    let mut chunks = body.chunks(usize::from(*chunk_len).max(1));
    let pushed =
        chunks.try_for_each(|chunk| reader.push(chunk, &mut |bytes| part.extend_from_slice(bytes)));
    let Ok((members, part_len)) = pushed.and_then(|()| reader.finish::<Members>()) else {
        return;
    };
    let whole =
        decode::<Whole>(body).map(|whole| (whole.members, whole.part.map(Blob::into_bytes)));
    assert_eq!(
        whole,
        Ok((members, part_len.map(|_| part))),
        "the streamed reader disagrees"
    );
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_bytes_are_read_alike(data in prop::collection::vec(any::<u8>(), 0..100)) {
            fuzz_layer_part(&data);
        }

        #[test]
        fn pieces_of_bodies_are_read_alike(
            chunk_len in any::<u8>(),
            body in "(\\{|\\}|\\[|\\]|\"layerPartBlob\":|\"QQ==\"|\"QQ|\"uploadId\":|\"|:|,|\\\\/|1|null| ){0,24}",
        ) {
            fuzz_layer_part(&[&[chunk_len], body.as_bytes()].concat());
            fuzz_layer_part(&[&[chunk_len], b"{".as_slice(), body.as_bytes(), b"}"].concat());
        }
    }
}
