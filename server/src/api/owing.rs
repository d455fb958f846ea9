//! What a request owes to the quotas of its client, settled when its reply is decided.
//!
//! The reply says how long the client has to rest, which is the longest of all that apply, and the connection then keeps to
//! it. What APIs count by themselves (bytes, changes of topics) is known by then; the time of the broker's threads is counted
//! here, for every API but those that say that they do it.

use std::sync::Arc;
use std::time::Duration;

use super::reply::Reply;
use super::{Api, Broker, Cx};
use crate::quotas::{Client, Throttle};

pub(super) struct Owing {
    broker: Arc<Broker>,
    /// For what the request did when it began.
    begun: Option<Throttle>,
    /// Whose time was spent, and how much.
    time: Option<(Arc<Client>, Duration)>,
}

impl Owing {
    /// Nothing where nobody has a quota.
    pub(super) fn of<A: Api>(cx: &Cx) -> Option<Self> {
        let metered = cx.metered.as_ref()?;
        let spent = || cx.broker.env.clock.monotonic().saturating_sub(metered.began);
        let time = if A::COUNTS_ITS_TIME { None } else { cx.timed().map(|client| (client, spent())) };
        Some(Self { broker: cx.broker.clone(), begun: cx.throttled(), time })
    }

    /// Tells the client how long it has to rest.
    pub(super) fn settle(self, reply: &mut impl Reply) -> Option<Throttle> {
        let Self { broker, begun, time } = self;
        let now = broker.env.clock.monotonic();
        let for_time = time.and_then(|(client, spent)| {
            let seen = broker.controller.seen();
            broker.quotas.spent(seen.image.quotas(), &client, spent, now)
        });
        let throttle = Throttle::longer(Throttle::longer(for_time, begun), reply.throttled())?;
        let left_ms = throttle.left_ms(now);
        reply.throttle(left_ms);
        (left_ms > 0).then_some(throttle)
    }
}
