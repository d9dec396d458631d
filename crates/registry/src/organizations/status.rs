//! What came of requests for accounts: `DescribeCreateAccountStatus` and `ListCreateAccountStatus`.

use longshore_types::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    check_management,
    member::{invalid, paging},
    on,
};
use crate::{
    authz::{Needs, Organizations, Permit},
    cx::{Cx, Scope},
    error::{Error, Fault, Result},
    operation::Operation,
    table::organization::{self, Request},
};

/// What came of a request for an account.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct CreateAccountStatus {
    id: String,
    account_name: String,
    state: &'static str,
    requested_timestamp: Timestamp,
    completed_timestamp: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    account_id: Option<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    failure_reason: String,
}

impl CreateAccountStatus {
    /// Tells of a request; each is done when it returns.
    pub(super) fn of(request: Request) -> Self {
        Self {
            state: if request.failure.is_empty() {
                "SUCCEEDED"
            } else {
                "FAILED"
            },
            id: request.id,
            account_name: request.name,
            requested_timestamp: request.created_at,
            completed_timestamp: request.created_at,
            account_id: request.account.map(|account| account.to_string()),
            failure_reason: request.failure,
        }
    }
}

/// Tells what came of a request.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DescribeCreateAccountStatus {
    create_account_request_id: String,
}

/// One status.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct DescribedStatus {
    create_account_status: CreateAccountStatus,
}

impl Operation for DescribeCreateAccountStatus {
    type Output = DescribedStatus;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        let id = self.create_account_request_id.strip_prefix("car-");
        let fits = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit();
        if !id.is_some_and(|id| (8..=32).contains(&id.len()) && id.chars().all(fits)) {
            return Err(invalid(
                "CreateAccountRequestId is not `car-` and 8 to 32 letters or digits.",
            ));
        }
        Ok(on(Organizations::DescribeCreateAccountStatus, scope, None))
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<DescribedStatus> {
        check_management(cx)?;
        let id = self.create_account_request_id;
        let found = cx
            .read(permit.grant(), move |tx, _| {
                Ok::<_, Error>(organization::request(tx, &id)?)
            })
            .await?;
        let found = found.ok_or_else(|| {
            Fault::CreateAccountStatusNotFound.because(
                "We can't find an create account request with the CreateAccountRequestId that you specified.",
            )
        })?;
        Ok(DescribedStatus {
            create_account_status: CreateAccountStatus::of(found),
        })
    }
}

/// Tells what came of all requests, or of those that ended in certain ways.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListCreateAccountStatus {
    states: Option<Vec<String>>,
    next_token: Option<String>,
    max_results: Option<i64>,
}

/// A page of statuses.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListedStatuses {
    create_account_statuses: Vec<CreateAccountStatus>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

impl Operation for ListCreateAccountStatus {
    type Output = ListedStatuses;

    fn needs(&self, scope: &Scope) -> Result<Needs> {
        let known =
            |state: &String| matches!(state.as_str(), "IN_PROGRESS" | "SUCCEEDED" | "FAILED");
        if !self.states.iter().flatten().all(known) {
            return Err(invalid("States are IN_PROGRESS, SUCCEEDED and FAILED."));
        }
        Ok(on(Organizations::ListCreateAccountStatus, scope, None))
    }

    async fn run(self, cx: &Cx<'_>, permit: Permit<Self>) -> Result<ListedStatuses> {
        check_management(cx)?;
        let wanted = |state: &str| {
            let states = self.states.as_deref().unwrap_or_default();
            states.is_empty() || states.iter().any(|other| other == state)
        };
        let states = (wanted("SUCCEEDED"), wanted("FAILED"));
        let list = format!("ListCreateAccountStatus {states:?}");
        let paging = paging(cx.core, list, self.max_results, self.next_token.as_deref())?;
        let (after, limit) = (paging.after.clone().unwrap_or_default(), paging.limit());
        let mut rows = cx
            .read(permit.grant(), move |tx, _| {
                Ok::<_, Error>(organization::requests(tx, states, &after, limit)?)
            })
            .await?;
        let next_token = paging.cut(&cx.core.tokens, &mut rows, |row| row.id.clone())?;
        Ok(ListedStatuses {
            create_account_statuses: rows.into_iter().map(CreateAccountStatus::of).collect(),
            next_token,
        })
    }
}
