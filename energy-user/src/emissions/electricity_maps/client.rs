//! How the service is asked: the only place that knows HTTP.
//!
//! The token goes into the header `auth-token` and to the address that was given, nowhere else:
//! redirections are not followed.

use std::time::Duration;

use ureq::Agent;
use ureq::http::Uri;

use super::{ElectricityMapsError, TOKEN_VARIABLE};
use crate::units::{WallTime, scale};

/// The most bytes of an answer; 240 hours are some 60 kB.
const MOST_BYTES: u64 = 16 << 20;

/// A service that can be asked.
#[derive(Debug)]
pub(super) struct Client {
    /// Without a slash at the end.
    address: String,
    host: String,
    token: Option<String>,
    patience: Duration,
    agent: Agent,
}

impl Client {
    pub(super) fn new(
        address: String,
        token: Option<String>,
        patience: Duration,
    ) -> Result<Self, ElectricityMapsError> {
        let uri = address.parse::<Uri>().ok();
        let uri = uri.filter(|uri| matches!(uri.scheme_str(), Some("http" | "https")));
        let host = uri.as_ref().and_then(Uri::host).map(str::to_owned);
        let Some(host) = host else { return Err(ElectricityMapsError::Address(address)) };
        let agent = Agent::config_builder()
            .timeout_connect(Some(patience))
            .timeout_recv_response(Some(patience))
            .timeout_recv_body(Some(patience))
            .max_redirects(0)
            .http_status_as_error(false)
            .user_agent(concat!("energy-prof/", env!("CARGO_PKG_VERSION")))
            .build();
        let address = address.trim_end_matches('/').to_owned();
        Ok(Self { address, host, token, patience, agent: agent.into() })
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// The hours of a zone from `from` until `to`, as they are sent.
    pub(super) fn past_range(
        &self,
        zone: &str,
        from: WallTime,
        to: WallTime,
    ) -> Result<String, ElectricityMapsError> {
        let no_token = || ElectricityMapsError::NoToken {
            address: self.address.clone(),
            zone: zone.to_owned(),
        };
        let token = self.token.as_deref().filter(|token| is_token(token)).ok_or_else(no_token)?;
        let refused = |why: String| ElectricityMapsError::Refused {
            address: self.address.clone(),
            zone: zone.to_owned(),
            why,
        };
        let url = format!("{}/v3/carbon-intensity/past-range", self.address);
        let time = |at: WallTime| scale::rfc3339(at).unwrap_or_default();
        let answer = self
            .agent
            .get(&url)
            .header("auth-token", token)
            .query("zone", zone)
            .query("start", time(from))
            .query("end", time(to))
            .query("temporalGranularity", "hourly")
            .query("emissionFactorType", "lifecycle")
            .call()
            .map_err(|why| refused(self.in_words(&why)))?;
        let status = answer.status().as_u16();
        if status != 200 {
            return Err(refused(meaning(status)));
        }
        let body = answer.into_body().into_with_config().limit(MOST_BYTES);
        body.read_to_string().map_err(|why| refused(self.in_words(&why)))
    }

    fn in_words(&self, why: &ureq::Error) -> String {
        match why {
            ureq::Error::Timeout(_) => {
                let patience = self.patience.into();
                format!("it did not answer within {}; try again later", scale::duration(patience))
            }
            why => {
                format!("it cannot be reached ({why}); a table can be given with --series instead")
            }
        }
    }
}

/// Whether it can stand in a header.
fn is_token(token: &str) -> bool {
    !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic())
}

/// What a status that is no success means here.
fn meaning(status: u16) -> String {
    match status {
        401 | 403 => format!(
            "the token is not valid for this zone, or over its limit ({status}); check {TOKEN_VARIABLE} \
             and which zones it is for"
        ),
        404 => "it knows no such zone, or has nothing of that time (404)".to_owned(),
        429 => "the token is over its limit (429); try again later".to_owned(),
        500.. => format!("it is out of order ({status}); try again later"),
        status => format!("it answers {status}, which is no success"),
    }
}
