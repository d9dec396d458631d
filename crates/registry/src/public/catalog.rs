//! The catalog data of a repository: what an input gives, within its bounds, and how the API tells it.

use longshore_store::meta::Tx;
use longshore_types::id::{Incarnation, LogoId};
use serde::{Deserialize, Serialize};

use super::logo;
use crate::{
    core::Core,
    endpoints::Endpoints,
    error::{Error, Result},
    member::{Blob, at_most},
    table::catalog::{self, CatalogData},
};

/// The most characters of a description.
const MAX_DESCRIPTION: usize = 1024;
/// The most characters of the about and usage texts, each.
const MAX_TEXT: usize = 25_600;
/// The most architectures, and the most operating systems.
const MAX_WORDS: usize = 50;
/// The most characters of one of them.
const MAX_WORD: usize = 50;

/// `RepositoryCatalogDataInput`. What is absent stays as it is; what is empty goes.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct CatalogDataInput {
    description: Option<String>,
    architectures: Option<Vec<String>>,
    operating_systems: Option<Vec<String>>,
    logo_image_blob: Option<Blob>,
    about_text: Option<String>,
    usage_text: Option<String>,
}

/// `RepositoryCatalogData`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RepositoryCatalogData {
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    architectures: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    operating_systems: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logo_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    about_text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage_text: Option<String>,
}

impl RepositoryCatalogData {
    /// Tells stored data.
    pub(super) fn of(data: CatalogData, endpoints: &Endpoints) -> Self {
        Self {
            description: data.description,
            architectures: data.architectures,
            operating_systems: data.operating_systems,
            logo_url: data.logo.map(|logo| endpoints.logo_url(&logo)),
            about_text: data.about,
            usage_text: data.usage,
        }
    }
}

impl CatalogDataInput {
    /// Checks every bound.
    pub(super) fn check(&self) -> Result<()> {
        let text = |member: &str, text: &Option<String>, most| {
            at_most(
                &format!("catalogData.{member}"),
                text.as_deref().unwrap_or_default(),
                most,
            )
        };
        text("description", &self.description, MAX_DESCRIPTION)?;
        text("aboutText", &self.about_text, MAX_TEXT)?;
        text("usageText", &self.usage_text, MAX_TEXT)?;
        check_words("catalogData.architectures", self.architectures.as_deref())?;
        check_words(
            "catalogData.operatingSystems",
            self.operating_systems.as_deref(),
        )?;
        match self.logo() {
            Some(image) => logo::check("catalogData.logoImageBlob", image),
            None => Ok(()),
        }
    }

    /// The picture that is given, if one is.
    fn logo(&self) -> Option<&[u8]> {
        let image = self.logo_image_blob.as_ref().map(Blob::as_bytes);
        image.filter(|image| !image.is_empty())
    }

    /// What is to be stored, under a fresh id for the picture.
    pub(super) fn change(self, core: &Core) -> Change {
        Change {
            input: self,
            logo: LogoId::from_uuid(core.fresh()),
        }
    }
}

fn check_words(member: &str, words: Option<&[String]>) -> Result<()> {
    let words = words.unwrap_or_default();
    if words.len() > MAX_WORDS {
        let what = format!("Member must have length less than or equal to {MAX_WORDS}");
        return Err(Error::invalid(member, what));
    }
    if words.iter().any(String::is_empty) {
        let what = "Member must have length greater than or equal to 1";
        return Err(Error::invalid(member, what));
    }
    words
        .iter()
        .try_for_each(|word| at_most(member, word, MAX_WORD))
}

/// A change of what a repository tells.
#[derive(Clone, Debug)]
pub(super) struct Change {
    input: CatalogDataInput,
    /// The id of the picture, if one is given.
    logo: LogoId,
}

impl Change {
    /// Makes it; returns what the repository tells now.
    pub(super) fn apply(&self, tx: &mut dyn Tx, incarnation: Incarnation) -> Result<CatalogData> {
        let stored = catalog::get(tx, incarnation)?.unwrap_or_default();
        let given = self.input.clone();
        let logo = match (&given.logo_image_blob, self.input.logo()) {
            (None, _) => stored.logo,
            (Some(_), None) => {
                catalog::put_logo(tx, incarnation, None)?;
                None
            }
            (Some(_), Some(image)) => {
                catalog::put_logo(tx, incarnation, Some((self.logo, image)))?;
                Some(self.logo)
            }
        };
        let text = |given: Option<String>, stored: Option<String>| {
            given.or(stored).filter(|text| !text.is_empty())
        };
        let words = |given: Option<Vec<String>>, stored: Option<Vec<String>>| {
            given.or(stored).filter(|words| !words.is_empty())
        };
        let data = CatalogData {
            description: text(given.description, stored.description),
            architectures: words(given.architectures, stored.architectures),
            operating_systems: words(given.operating_systems, stored.operating_systems),
            about: text(given.about_text, stored.about),
            usage: text(given.usage_text, stored.usage),
            logo,
        };
        catalog::put(tx, incarnation, &data)?;
        Ok(data)
    }
}
