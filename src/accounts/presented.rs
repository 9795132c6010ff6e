//! What a request presents to show who it comes from, as text.

use std::borrow::Cow;

use crate::config::ClientAddress;

/// What a request presents. It has secrets, so it has no `Debug`.
#[derive(Clone, Default)]
pub struct Presented<'a> {
    /// The values of its `Cookie` fields, in their order.
    pub cookies: Vec<&'a str>,
    /// What stands after `Bearer` in its `Authorization` field; empty if that is no text.
    pub bearer: Option<&'a str>,
}

/// The browser that signs in.
pub struct Browser<'a> {
    /// What it presents: the session that it had until now.
    pub presented: Presented<'a>,
    /// Where it connects from.
    pub address: ClientAddress,
    /// What it says that it is.
    pub user_agent: Cow<'a, str>,
}
