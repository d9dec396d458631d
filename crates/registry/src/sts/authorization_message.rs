//! `DecodeAuthorizationMessage`.

use serde::{Deserialize, Serialize};

use crate::{
    authz::{Needs, Permit, Resource, Sts, message::Message},
    cx::{Cx, Scope},
    error::{Fault, Result},
    iam::member,
    operation::Operation,
};

/// Tells why a call of the account was denied, by the message that the denial came with.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DecodeAuthorizationMessage {
    encoded_message: String,
}

/// The decision, as JSON.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct DecodedAuthorizationMessage {
    decoded_message: String,
}

impl Operation for DecodeAuthorizationMessage {
    type Output = DecodedAuthorizationMessage;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        member::length("encodedMessage", &self.encoded_message, 1, 10_240)?;
        let account = scope.registry.account();
        let arn = "*".to_owned();
        Ok(Needs::one(
            Sts::DecodeAuthorizationMessage,
            Resource::Account { account, arn },
        ))
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<DecodedAuthorizationMessage> {
        cx.read(permit.grant(), |_, _| Ok(())).await?;
        let account = permit.grant().registry().account();
        Message::open(&cx.core.tokens, &self.encoded_message)
            .filter(|message| message.account == account)
            .map(|message| DecodedAuthorizationMessage {
                decoded_message: message.document,
            })
            .ok_or_else(|| {
                Fault::InvalidAuthorizationMessage.because("Invalid authorization message")
            })
    }
}
