//! The flags of `longshore export`, `import` and `migrate`.

use std::{num::NonZeroUsize, path::PathBuf};

use longshore_types::name::RepositoryName;

use super::StoreArgs;

/// Requests and transfers at a time, unless the caller says.
const JOBS: &str = "4";

/// What repositories are put under, told with its slash or without, as it stands before the slash.
fn prefix(text: &str) -> Result<String, String> {
    let prefix = text.strip_suffix('/').unwrap_or(text);
    match format!("{prefix}/app").parse::<RepositoryName>() {
        Err(error) if !prefix.is_empty() => Err(format!(
            "`{prefix}/app` cannot be the name of a repository: {error}"
        )),
        _ => Ok(prefix.to_owned()),
    }
}

/// How a command finds the registry here.
#[derive(Debug, clap::Args)]
pub struct OwnArgs {
    /// Where the store is, if no running server is meant.
    #[command(flatten)]
    pub store: StoreArgs,
    /// The account of the store's registry [default: the first]
    #[arg(long, value_name = "ID")]
    pub account: Option<String>,
    /// The Region of the store's registry [default: us-east-1]
    #[arg(long, value_name = "NAME")]
    pub region: Option<String>,
    /// Requests and transfers at a time
    #[arg(long, value_name = "N", default_value = JOBS)]
    pub jobs: NonZeroUsize,
}

/// The flags of `longshore export`.
#[derive(Debug, clap::Args)]
pub struct ExportArgs {
    /// Repositories and images, such as `team/app`, `team/app:v1` or `team/app@sha256:…` [default: the whole registry]
    #[arg(value_name = "REPOSITORY[:TAG|@DIGEST]")]
    pub images: Vec<String>,
    /// Where to: a directory, a file whose name ends with `.tar`, or `-` for a tar archive on standard output
    #[arg(long, value_name = "DIR|FILE.tar|-")]
    pub to: PathBuf,
    /// Leave archived images out, which cannot be read, instead of failing for each
    #[arg(long)]
    pub skip_archived: bool,
    /// What is exported.
    #[command(flatten)]
    pub own: OwnArgs,
}

/// The flags of `longshore import`.
#[derive(Debug, clap::Args)]
pub struct ImportArgs {
    /// The layout: a directory, a tar archive, or `-` for a tar archive on standard input
    #[arg(value_name = "DIR|FILE.tar|-")]
    pub from: PathBuf,
    /// Repositories and images of the layout [default: all]
    #[arg(value_name = "REPOSITORY[:TAG|@DIGEST]")]
    pub images: Vec<String>,
    /// The repository of all images, whatever the layout calls them
    #[arg(long, value_name = "NAME")]
    pub repository: Option<String>,
    /// What repositories are put under here: `mirror` makes `team/app` `mirror/team/app`
    #[arg(long, value_name = "PREFIX", default_value = "", value_parser = prefix)]
    pub prefix: String,
    /// Take indexes some of whose images the layout has not, as `docker save` writes them of images for several platforms
    #[arg(long)]
    pub sparse: bool,
    /// Leave a tag that stands for another image here as it is, and fail for it, instead of moving it
    #[arg(long)]
    pub keep_tags: bool,
    /// Where it goes.
    #[command(flatten)]
    pub own: OwnArgs,
}

/// The flags of `longshore migrate`.
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub struct MigrateArgs {
    /// The registry, or one repository of it; `http://` before it means without TLS, as it is on this machine
    #[arg(long, value_name = "HOST[:PORT][/REPOSITORY]")]
    pub from: String,
    /// Which repositories, where `*` stands for any characters [default: all that the registry lists]
    #[arg(long, value_name = "GLOB,…", value_delimiter = ',')]
    pub repositories: Vec<String>,
    /// What repositories are put under here: `mirror` makes `team/app` `mirror/team/app`
    #[arg(long, value_name = "PREFIX", default_value = "", value_parser = prefix)]
    pub prefix: String,
    /// The user there [default: the login of `~/.docker/config.json`]
    #[arg(long, value_name = "NAME", env = "LONGSHORE_SOURCE_USER")]
    pub source_user: Option<String>,
    /// A file with the user's password, which `LONGSHORE_SOURCE_PASSWORD` may be instead
    #[arg(long, value_name = "FILE")]
    pub source_password_file: Option<PathBuf>,
    /// Certificates (PEM) that the registry there is trusted by, besides the public roots
    #[arg(long, value_name = "FILE", env = "LONGSHORE_SOURCE_CA_FILE")]
    pub source_ca_file: Option<PathBuf>,
    /// Take indexes some of whose images the registry there has not
    #[arg(long)]
    pub sparse: bool,
    /// Leave a tag that stands for another image here as it is, and fail for it, instead of moving it
    #[arg(long)]
    pub keep_tags: bool,
    /// Leave archived images out, which cannot be read, instead of failing for each
    #[arg(long)]
    pub skip_archived: bool,
    /// Copy nothing: compare what is there with what is here
    #[arg(long)]
    pub verify: bool,
    /// Where it goes.
    #[command(flatten)]
    pub own: OwnArgs,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_what_names_can_begin_with() {
        for (told, is) in [
            ("", ""),
            ("mirror", "mirror"),
            ("a/", "a"),
            ("team/x", "team/x"),
        ] {
            assert_eq!(prefix(told).as_deref(), Ok(is));
        }
        for told in ["mirror-", "mirror//", "/mirror", "Mirror", " "] {
            let refused = prefix(told).unwrap_err();
            assert!(
                refused.contains("cannot be the name of a repository"),
                "{refused}"
            );
        }
    }
}
