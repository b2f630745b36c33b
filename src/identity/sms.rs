//! The way to people's phones. One interface, and its adapter over HTTP: `{"to":"+86…","text":"…"}` is posted to the gateway, any success
//! status means accepted. Phones and texts are never logged.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use url::Url;

use crate::crypto::BoxFuture;
use crate::outbound::{Limits, Outbound};

use super::phone::Phone;

/// The message was not accepted.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the SMS gateway did not accept the message: {0}")]
pub struct NotSent(String);

impl NotSent {
    /// For gateways of other kinds; the reason goes to the log and must hold nothing personal.
    pub fn because(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

/// Something that sends messages.
pub trait Gateway: Send + Sync + fmt::Debug {
    fn send<'a>(&'a self, to: &'a Phone, text: &'a str) -> BoxFuture<'a, Result<(), NotSent>>;
}

/// A gateway that speaks JSON over HTTP.
#[derive(Debug)]
pub struct HttpGateway {
    outbound: Arc<Outbound>,
    url: Url,
    limits: Limits,
}

impl HttpGateway {
    pub fn new(outbound: Arc<Outbound>, url: Url, time: Duration) -> Self {
        Self {
            outbound,
            url,
            limits: Limits {
                time,
                body: 16 * 1024,
            },
        }
    }
}

impl Gateway for HttpGateway {
    fn send<'a>(&'a self, to: &'a Phone, text: &'a str) -> BoxFuture<'a, Result<(), NotSent>> {
        Box::pin(async move {
            let body = serde_json::json!({ "to": to.e164(), "text": text }).to_string();
            let answer = self
                .outbound
                .post(
                    &self.url,
                    "application/json",
                    body.into_bytes(),
                    &self.limits,
                )
                .await
                .map_err(|e| NotSent(e.to_string()))?;
            if answer.status().is_success() {
                Ok(())
            } else {
                Err(NotSent(format!("status {}", answer.status())))
            }
        })
    }
}
