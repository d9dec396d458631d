//! The pictures of public repositories: PNG files of bounded size, that anybody may see.

use longshore_types::id::LogoId;

use crate::{
    authz::{Needs, Permit, PublicRead, Resource},
    cx::{Cx, Scope},
    error::{Error, Result},
    operation::Operation,
    table::catalog,
};

/// The most bytes of a picture.
const MAX_BYTES: usize = 512_000;
/// The least and the most pixels of a side (ECR Public User Guide, "Repository catalog data").
const SIDES: std::ops::RangeInclusive<u32> = 60..=2048;
/// The head of a PNG file up to its sides: the signature, and the length and type of the first chunk (PNG, section 5).
const HEAD: &[u8; 16] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
/// Its last chunk.
const TAIL: &[u8; 12] = b"\0\0\0\0IEND\xaeB`\x82";

/// Refuses what is no PNG file, or one that is too large or too small.
pub(super) fn check(member: &str, image: &[u8]) -> Result<()> {
    if image.len() > MAX_BYTES {
        let what = format!("Member must have length less than or equal to {MAX_BYTES}");
        return Err(Error::invalid(member, what));
    }
    let Some((width, height)) = sides(image) else {
        return Err(Error::invalid(member, "The logo must be a PNG image"));
    };
    if SIDES.contains(&width) && SIDES.contains(&height) {
        Ok(())
    } else {
        let what = "The logo must be between 60 and 2048 pixels wide and high";
        Err(Error::invalid(member, what))
    }
}

/// The width and height of a PNG file, in pixels.
fn sides(image: &[u8]) -> Option<(u32, u32)> {
    let rest = image.strip_prefix(HEAD)?.strip_suffix(TAIL)?;
    let (width, rest) = rest.split_first_chunk::<4>()?;
    let (height, _) = rest.split_first_chunk::<4>()?;
    Some((u32::from_be_bytes(*width), u32::from_be_bytes(*height)))
}

/// `GET /logos/ID.png`.
#[derive(Debug)]
pub struct PullLogo {
    /// The picture.
    pub id: LogoId,
}

impl Operation for PullLogo {
    /// A PNG file, if a repository has it.
    type Output = Option<Vec<u8>>;

    fn needs(&self, _: &Scope) -> Result<Needs> {
        Ok(Needs::one(PublicRead::PullLogo, Resource::Nothing))
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<Option<Vec<u8>>> {
        let id = self.id;
        cx.read(permit.grant(), move |tx, _| Ok(catalog::logo(tx, id)?))
            .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn png(width: u32, height: u32, bytes: usize) -> Vec<u8> {
        let (width, height) = (width.to_be_bytes(), height.to_be_bytes());
        [HEAD.as_slice(), &width, &height, &vec![0; bytes], TAIL].concat()
    }

    fn text(image: &[u8]) -> String {
        check("logoImageBlob", image).unwrap_err().to_string()
    }

    #[test]
    fn pictures_are_png_files_within_their_bounds() {
        for (width, height) in [(60, 60), (2048, 60), (60, 2048), (500, 400)] {
            check("logoImageBlob", &png(width, height, 100)).unwrap();
        }
        let most = MAX_BYTES - png(60, 60, 0).len();
        check("logoImageBlob", &png(60, 60, most)).unwrap();
        assert!(text(&png(60, 60, most + 1)).contains("512000"));
        for (width, height) in [(59, 60), (60, 59), (2049, 60), (60, 2049), (0, 0)] {
            assert!(text(&png(width, height, 0)).contains("pixels"));
        }
    }

    #[test]
    fn anything_else_is_no_picture() {
        let whole = png(60, 60, 0);
        for image in [
            b"GIF89a".as_slice(),
            b"<svg/>",
            HEAD,
            &whole[..whole.len() - 1],
            &whole[1..],
            &[HEAD.as_slice(), TAIL].concat(),
        ] {
            assert!(text(image).contains("PNG"), "{image:?}");
        }
    }
}
