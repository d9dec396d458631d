//! What the server's XML says. A stranger wrote it, so nothing in it is taken for granted.

use roxmltree::{Document, Node};

use super::client::Failure;

/// A page of multipart uploads.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Uploads {
    /// Name and upload id of each.
    pub(super) uploads: Vec<(String, String)>,
    /// Where the next page begins: name and upload id.
    pub(super) next: Option<(String, String)>,
}

/// Code and message of a refusal; empty when there are none.
pub(super) fn refusal(body: &[u8]) -> (String, String) {
    let told = |document: &Document<'_>| {
        let error = document.root_element();
        let text = |name| child(error, name).unwrap_or_default();
        (error.tag_name().name() == "Error").then(|| (text("Code"), text("Message")))
    };
    parse(body)
        .and_then(|document| told(&document))
        .unwrap_or_default()
}

/// The id of a multipart upload that has begun.
pub(super) fn upload_id(body: &[u8]) -> Result<String, Failure> {
    let id = parse(body).and_then(|document| child(document.root_element(), "UploadId"));
    id.filter(|id| !id.is_empty())
        .ok_or(Failure::Wrong("a multipart upload without an id"))
}

/// Whether an object was put together; the server may find out that it cannot after it has said 200.
pub(super) fn completed(body: &[u8]) -> Result<(), Failure> {
    let document = parse(body).ok_or(Failure::Lost("its answer is cut".to_owned()))?;
    if document.root_element().tag_name().name() == "CompleteMultipartUploadResult" {
        return Ok(());
    }
    let (code, message) = refusal(body);
    Err(Failure::Refused {
        status: http::StatusCode::INTERNAL_SERVER_ERROR,
        code,
        message,
    })
}

/// A page of multipart uploads.
pub(super) fn uploads(body: &[u8]) -> Result<Uploads, Failure> {
    let document = parse(body).ok_or(Failure::Wrong("a list that is none"))?;
    let list = document.root_element();
    if list.tag_name().name() != "ListMultipartUploadsResult" {
        return Err(Failure::Wrong("a list that is none"));
    }
    let uploads = list
        .children()
        .filter(|node| node.has_tag_name_of("Upload"));
    let uploads = uploads.filter_map(|node| Some((child(node, "Key")?, child(node, "UploadId")?)));
    let more = child(list, "IsTruncated").as_deref() == Some("true");
    let next = || {
        let id = child(list, "NextUploadIdMarker").unwrap_or_default();
        Some((child(list, "NextKeyMarker")?, id))
    };
    Ok(Uploads {
        uploads: uploads.collect(),
        next: more.then(next).flatten(),
    })
}

/// A page of objects.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Names {
    /// Their names.
    pub(super) names: Vec<String>,
    /// What the next page is asked for by.
    pub(super) next: Option<String>,
}

/// A page of objects.
pub(super) fn objects(body: &[u8]) -> Result<Names, Failure> {
    let document = parse(body).ok_or(Failure::Wrong("a list that is none"))?;
    let list = document.root_element();
    if list.tag_name().name() != "ListBucketResult" {
        return Err(Failure::Wrong("a list that is none"));
    }
    let objects = list
        .children()
        .filter(|node| node.has_tag_name_of("Contents"));
    let more = child(list, "IsTruncated").as_deref() == Some("true");
    let next = || child(list, "NextContinuationToken");
    Ok(Names {
        names: objects.filter_map(|node| child(node, "Key")).collect(),
        next: more.then(next).flatten(),
    })
}

fn parse(body: &[u8]) -> Option<Document<'_>> {
    Document::parse(str::from_utf8(body).ok()?).ok()
}

trait Named {
    fn has_tag_name_of(&self, name: &str) -> bool;
}

impl Named for Node<'_, '_> {
    /// Whether it is such an element, of whatever namespace.
    fn has_tag_name_of(&self, name: &str) -> bool {
        self.is_element() && self.tag_name().name() == name
    }
}

fn child(node: Node<'_, '_>, name: &str) -> Option<String> {
    let found = node.children().find(|child| child.has_tag_name_of(name))?;
    Some(found.text().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_whatever_their_namespace() {
        for namespace in ["", " xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\""] {
            let begun = format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<InitiateMultipartUploadResult{namespace}><Bucket>b</Bucket><UploadId>a&amp;b</UploadId></InitiateMultipartUploadResult>"
            );
            assert_eq!(upload_id(begun.as_bytes()).unwrap(), "a&b");
            let page = format!(
                "<ListMultipartUploadsResult{namespace}><IsTruncated>true</IsTruncated><NextKeyMarker>k</NextKeyMarker><NextUploadIdMarker>2</NextUploadIdMarker>\
                 <Upload><Key>k</Key><UploadId>1</UploadId></Upload><Upload><Key>k</Key><UploadId>2</UploadId></Upload></ListMultipartUploadsResult>"
            );
            let page = uploads(page.as_bytes()).unwrap();
            assert_eq!(page.uploads.len(), 2);
            assert_eq!(page.next, Some(("k".to_owned(), "2".to_owned())));
        }
        let refused = b"<Error><Code>NoSuchKey</Code><Message>no</Message></Error>";
        assert_eq!(refusal(refused), ("NoSuchKey".to_owned(), "no".to_owned()));
    }

    #[test]
    fn what_is_no_answer_is_none() {
        for body in [
            &b""[..],
            b"<html/>",
            b"<Error>",
            b"\xff",
            b"<InitiateMultipartUploadResult><UploadId/></InitiateMultipartUploadResult>",
        ] {
            assert!(upload_id(body).is_err());
            assert!(uploads(body).is_err());
            assert!(completed(body).is_err());
            assert_eq!(refusal(body).0, "");
        }
        let late = b"<Error><Code>InternalError</Code></Error>";
        assert!(completed(late).unwrap_err().may_pass());
    }
}
