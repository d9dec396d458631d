//! `UploadLayerPart`.

use bytes::Bytes;
use longshore_types::{account::AccountId, id::UploadId, name::RepositoryName};
use serde::{Deserialize, Serialize};

use crate::{
    authz::{Ecr, Grant, Needs, Permit},
    body::Whole,
    cx::{Cx, Scope},
    error::{Error, Result},
    member::Member,
    op::on_repository,
    operation::Operation,
    storage::upload::{self, Announced},
};

/// The largest part that is taken, twice the size that clients are told.
const MAX_PART_BYTES: usize = 20_971_520;

/// Adds the next part to an upload. Parts come in order; the one place where they can go on is told when they don't.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct UploadLayerPart {
    pub(crate) registry_id: Member<AccountId>,
    repository_name: Member<RepositoryName>,
    upload_id: Member<UploadId>,
    part_first_byte: Option<i64>,
    part_last_byte: Option<i64>,
    /// The decoded `layerPartBlob`, which the server sets: it decodes while it receives.
    #[serde(skip)]
    pub layer_part: Bytes,
}

/// How far the upload has come.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UploadedLayerPart {
    registry_id: AccountId,
    repository_name: RepositoryName,
    upload_id: UploadId,
    last_byte_received: i64,
}

impl Operation for UploadLayerPart {
    type Output = UploadedLayerPart;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        let needs = on_repository(
            Ecr::UploadLayerPart,
            scope,
            &self.registry_id,
            &self.repository_name,
        )?;
        self.upload_id.required("uploadId")?;
        self.range()?;
        if self.layer_part.len() > MAX_PART_BYTES {
            let what = format!("Member must have length less than or equal to {MAX_PART_BYTES}");
            return Err(Error::invalid("layerPartBlob", what));
        }
        Ok(needs)
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<UploadedLayerPart> {
        let grant = permit.grant();
        let id = self.upload_id.required("uploadId")?;
        let range = self.range()?;
        if range.length != self.layer_part.len() as u64 {
            return Err(self.wrong_length(cx, grant, id, range).await?);
        }
        let mut body = Whole::new(self.layer_part);
        let after = upload::append(cx, grant, id, Some(range), true, &mut body).await?;
        let repository = grant.repository()?;
        Ok(UploadedLayerPart {
            registry_id: repository.registry.account(),
            repository_name: repository.name.clone(),
            upload_id: id,
            last_byte_received: after.received - 1,
        })
    }
}

impl UploadLayerPart {
    /// The bytes that the part says it is; there is always one at least.
    fn range(&self) -> Result<Announced> {
        let first = not_negative("partFirstByte", self.part_first_byte)?;
        let last = not_negative("partLastByte", self.part_last_byte)?;
        if last < first {
            return Err(Error::invalid(
                "partLastByte",
                "Member must have value greater than or equal to partFirstByte",
            ));
        }
        Ok(Announced {
            first,
            length: last - first + 1,
        })
    }

    /// The refusal of a part whose range and bytes disagree, or what is wrong before that.
    async fn wrong_length(
        &self,
        cx: &Cx<'_>,
        grant: &Grant,
        id: UploadId,
        range: Announced,
    ) -> Result<Error> {
        let now = upload::find(cx, grant, id).await?;
        let repository = grant.repository()?;
        Ok(Error::InvalidLayerPartLength {
            length: self.layer_part.len() as u64,
            announced: range.length,
            received: now.received.cast_unsigned(),
            id,
            name: repository.name.clone(),
            account: repository.registry.account(),
        })
    }
}

fn not_negative(member: &str, value: Option<i64>) -> Result<u64> {
    let value = value.ok_or_else(|| Error::invalid(member, "Member must not be null"))?;
    u64::try_from(value)
        .map_err(|_| Error::invalid(member, "Member must have value greater than or equal to 0"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(first: Option<i64>, last: Option<i64>) -> Result<(u64, u64)> {
        let part = UploadLayerPart {
            part_first_byte: first,
            part_last_byte: last,
            ..UploadLayerPart::default()
        };
        part.range().map(|range| (range.first, range.length))
    }

    #[test]
    fn ranges_are_inclusive_and_never_empty() {
        assert_eq!(range(Some(0), Some(0)).unwrap(), (0, 1));
        assert_eq!(range(Some(5), Some(9)).unwrap(), (5, 5));
        assert_eq!(range(Some(0), Some(i64::MAX)).unwrap(), (0, 1 << 63));
        for (first, last) in [
            (None, Some(1)),
            (Some(0), None),
            (Some(-1), Some(1)),
            (Some(0), Some(-1)),
            (Some(2), Some(1)),
        ] {
            assert!(
                matches!(range(first, last), Err(Error::InvalidParameter(_))),
                "{first:?} {last:?}"
            );
        }
    }
}
