//! Answers in XML.

use bytes::Bytes;
use http::{
    Response, StatusCode,
    header::{CONTENT_TYPE, HeaderName, HeaderValue},
};
use longshore_types::id::RequestId;
use serde::Serialize;

use super::{
    service::Service,
    xml::{self, Unwritable},
};

/// Writes the answer of the operation `action` that succeeded; one whose output is `()` has no result element.
pub fn success<T: Serialize>(
    service: Service,
    action: &str,
    output: &T,
    id: RequestId,
) -> Result<Response<Bytes>, Unwritable> {
    let mut body = format!("<{action}Response xmlns=\"{}\">", service.namespace());
    xml::write(&mut body, &format!("{action}Result"), output)?;
    body.push_str("<ResponseMetadata>");
    xml::write_text(&mut body, "RequestId", &id.to_string());
    body.push_str("</ResponseMetadata></");
    body.push_str(action);
    body.push_str("Response>\n");
    Ok(xml_response(StatusCode::OK, body, id))
}

pub(super) fn xml_response(status: StatusCode, body: String, id: RequestId) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/xml"));
    if let Ok(id) = HeaderValue::from_str(&id.to_string()) {
        headers.insert(HeaderName::from_static("x-amzn-requestid"), id);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_names_its_operation_and_request() {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Output {
            arn: &'static str,
        }
        let id: RequestId = "0190f3a0-0000-7000-8000-000000000001".parse().unwrap();
        let body = |response: Response<Bytes>| String::from_utf8(response.body().to_vec()).unwrap();
        let output = Output { arn: "a" };
        let answer = success(Service::Sts, "GetCallerIdentity", &output, id).unwrap();
        assert_eq!(
            body(answer),
            format!(
                "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>\
                 <Arn>a</Arn></GetCallerIdentityResult><ResponseMetadata><RequestId>{id}</RequestId></ResponseMetadata>\
                 </GetCallerIdentityResponse>\n"
            )
        );
        let answer = success(Service::Iam, "DeleteUser", &(), id).unwrap();
        assert_eq!(
            body(answer),
            format!(
                "<DeleteUserResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><ResponseMetadata>\
                 <RequestId>{id}</RequestId></ResponseMetadata></DeleteUserResponse>\n"
            )
        );
    }
}
