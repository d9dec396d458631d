//! How a repository is to be encrypted, as inputs give it.

use serde::Deserialize;

use crate::{
    error::{Error, Result},
    member::{Member, words},
};

words! {
    /// How a repository is to be encrypted.
    EncryptionType {
        Aes256 = "AES256",
        Kms = "KMS",
        KmsDsse = "KMS_DSSE",
    }
}

/// The member `encryptionConfiguration`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(in crate::op) struct EncryptionInput {
    encryption_type: Member<EncryptionType>,
    kms_key: Option<String>,
}

impl EncryptionInput {
    /// There is no key service yet, so only this server's own keys can be asked for.
    pub(in crate::op) fn check(&self) -> Result<()> {
        let asked = self
            .encryption_type
            .required("encryptionConfiguration.encryptionType")?;
        match asked {
            EncryptionType::Aes256 if self.kms_key.is_some() => Err(Error::invalid(
                "encryptionConfiguration.kmsKey",
                "kmsKey can only be set when encryptionType is KMS or KMS_DSSE",
            )),
            EncryptionType::Aes256 => Ok(()),
            EncryptionType::Kms | EncryptionType::KmsDsse => Err(Error::Kms {
                message: "No key service is configured; the encryption type must be AES256"
                    .to_owned(),
                // What AWS KMS answers for a key that is not there, as no key is here.
                kms_error: "NotFoundException",
            }),
        }
    }

    /// The same where an empty key stands for none.
    pub(in crate::op) fn check_with_empty_key(&self) -> Result<()> {
        match (self.check(), self.kms_key.as_deref()) {
            (Err(_), Some("")) => Self {
                encryption_type: self.encryption_type.clone(),
                kms_key: None,
            }
            .check(),
            (checked, _) => checked,
        }
    }
}
