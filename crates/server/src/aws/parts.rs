//! Layer parts on their way in: decoded as they stream, held in memory that is bounded for all of them together,
//! until their signature is known.

use std::{fmt, time::Duration};

use aws_lc_rs::digest;
use bytes::{Bytes, BytesMut};
use longshore_registry::{Error, body::Body};
use longshore_types::constraint::Constraint;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::{
    error,
    json::{AwsError, ProtocolError, body_limit},
    layer_part::{LayerPartReader, MAX_PART},
    sigv4::PayloadHash,
};
use crate::{
    app::App,
    body::{
        RequestBody,
        pace::Pace,
        room::{Room, Sender, Shares, Taken},
    },
};

/// How many parts of full size are held at a time: an account with all that it may have, and another or all those who have proven
/// nothing, leave one to a third.
const PARTS: Shares = Shares {
    all: 5,
    account: 3,
    principal: 2,
    unproven: 1,
    network: 1,
};
/// How long a part may take to come in.
const DEADLINE: Duration = Duration::from_mins(5);

/// Memory for parts.
#[derive(Clone)]
pub struct PartMemory(Room);

impl PartMemory {
    /// Room for five parts of 20 MiB, of which a principal takes two at most, an account three, and those who have proven
    /// nothing one; a further one waits, unread, for `wait`.
    pub fn new(wait: Duration) -> Self {
        Self(Room::new(PARTS, wait))
    }

    /// How many parts still find memory.
    pub(crate) fn free(&self) -> usize {
        self.0.free()
    }
}

impl fmt::Debug for PartMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PartMemory")
            .field("free", &self.free())
            .finish_non_exhaustive()
    }
}

/// A part in memory, not yet proven to be anybody's.
#[derive(Debug)]
pub(crate) struct Part {
    reader: LayerPartReader,
    bytes: BytesMut,
    hash: PayloadHash,
    room: Taken,
}

/// A part with its members; its memory counts until this goes.
#[derive(Debug)]
pub(crate) struct Opened<T> {
    pub(crate) input: T,
    pub(crate) bytes: Bytes,
    /// Held until the part is stored.
    pub(crate) room: Taken,
}

impl Part {
    /// The hash of the body as it came.
    pub(crate) fn hash(&self) -> PayloadHash {
        self.hash
    }

    /// Reads the other members; a body without a part is refused.
    pub(crate) fn open<T: DeserializeOwned>(self) -> Result<Opened<T>, ProtocolError> {
        let (input, length) = self.reader.finish()?;
        let absent = || ProtocolError::InvalidParameter(Constraint::NotNull.at("layerPartBlob"));
        length.ok_or_else(absent)?;
        Ok(Opened {
            input,
            bytes: self.bytes.freeze(),
            room: self.room,
        })
    }
}

/// Reads a part as it comes in, once there is room for it.
pub(crate) async fn receive(
    app: &App,
    body: &mut RequestBody,
    sender: &Sender,
) -> Result<Part, AwsError> {
    let room = async {
        let mut room = app.parts.0.enter(1, sender).await?;
        room.grow(1).await?;
        Ok(room)
    };
    let room = body.waiting().for_room(room).await;
    let room = room.map_err(error::wire)?;
    let pace = Pace::new(app.bodies.pace(sender));
    let late = || Error::BodyLate("the part is not whole".to_owned());
    timeout(DEADLINE, read(room, body, pace))
        .await
        .unwrap_or_else(|_| Err(error::wire(late())))
}

async fn read(room: Taken, body: &mut RequestBody, mut pace: Pace) -> Result<Part, AwsError> {
    let limit = body_limit(super::STREAMED);
    let mut reader = LayerPartReader::new();
    let mut bytes = BytesMut::with_capacity(expected(body.announced()));
    let mut hash = digest::Context::new(&digest::SHA256);
    let mut received = 0;
    while let Some(chunk) = pace.piece(body).await {
        let chunk = chunk.map_err(error::wire)?;
        received += chunk.len();
        if received > limit {
            return Err(ProtocolError::BodyTooLarge.into());
        }
        hash.update(&chunk);
        reader.push(&chunk, &mut |decoded| bytes.extend_from_slice(decoded))?;
    }
    let mut sha256 = [0; 32];
    sha256.copy_from_slice(hash.finish().as_ref());
    Ok(Part {
        reader,
        bytes,
        hash: PayloadHash::from_bytes(sha256),
        room,
    })
}

/// Enough for the part of a body of this length, so that it is never copied to grow.
fn expected(announced: Option<u64>) -> usize {
    let decoded = announced.unwrap_or_default() / 4 * 3;
    usize::try_from(decoded.min(MAX_PART)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proven(account: &str, principal: &str) -> Sender {
        Sender::Proven {
            account: account.to_owned(),
            principal: principal.to_owned(),
        }
    }

    #[tokio::test]
    async fn an_account_of_many_principals_and_another_or_strangers_leave_room_to_a_third() {
        let memory = PartMemory::new(Duration::from_millis(10));
        let take = async |sender: &Sender| {
            let mut room = memory.0.enter(1, sender).await?;
            room.grow(1).await?;
            Ok::<_, Error>(room)
        };
        let account = ["a", "b", "c"].map(|principal| proven("1", principal));
        let another = ["d", "e", "f"].map(|principal| proven("2", principal));
        let strangers = [1, 2, 3].map(|last| Sender::unproven([192, 0, 2, last].into()));
        for others in [another, strangers] {
            let mut held = Vec::new();
            for sender in account.iter().chain(&others) {
                while let Ok(taken) = take(sender).await {
                    held.push(taken);
                }
            }
            assert_eq!(held.len(), 4);
            take(&proven("3", "g")).await.unwrap();
        }
    }

    #[test]
    fn room_is_kept_for_what_is_announced_and_no_more_than_a_part_may_have() {
        assert_eq!(expected(None), 0);
        assert_eq!(expected(Some(4000)), 3000);
        assert_eq!(expected(Some(u64::MAX)), 20_971_520);
    }
}
