//! The settings of a registry that `PutAccountSetting` changes (`behaviour.md` section 21.2).

use crate::member::words;

words! {
    /// The name of a setting.
    pub(crate) SettingName {
        BasicScanTypeVersion = "BASIC_SCAN_TYPE_VERSION",
        BlobMounting = "BLOB_MOUNTING",
        RegistryPolicyScope = "REGISTRY_POLICY_SCOPE",
    }
}

impl SettingName {
    /// The name as the API writes it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::BasicScanTypeVersion => "BASIC_SCAN_TYPE_VERSION",
            Self::BlobMounting => "BLOB_MOUNTING",
            Self::RegistryPolicyScope => "REGISTRY_POLICY_SCOPE",
        }
    }

    /// The values that it takes.
    pub(crate) const fn values(self) -> &'static [&'static str] {
        match self {
            Self::BasicScanTypeVersion => &["AWS_NATIVE"],
            Self::BlobMounting => &["ENABLED", "DISABLED"],
            Self::RegistryPolicyScope => &["V1", "V2"],
        }
    }

    /// The value where it was never set.
    pub(crate) const fn default_value(self) -> &'static str {
        match self {
            Self::BasicScanTypeVersion => "AWS_NATIVE",
            Self::BlobMounting => "ENABLED",
            Self::RegistryPolicyScope => "V2",
        }
    }
}

/// Which actions a registry policy decides about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PolicyScope {
    /// `V1`: replicating, importing and making repositories.
    Narrow,
    /// `V2`: every action.
    Whole,
}

impl PolicyScope {
    /// Reads it from the settings that a registry has.
    pub(crate) fn of(settings: &[(String, String)]) -> Self {
        let name = SettingName::RegistryPolicyScope;
        let set = settings.iter().find(|(other, _)| other == name.as_str());
        match set.map_or(name.default_value(), |(_, value)| value) {
            "V1" => Self::Narrow,
            _ => Self::Whole,
        }
    }
}
