//! How many connections each address holds.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

use super::Limits;

/// The connections of every address.
#[derive(Debug, Default)]
pub(super) struct Crowd {
    counts: Mutex<HashMap<IpAddr, usize>>,
}

/// One connection's place in the crowd; leaving is dropping it.
#[derive(Debug)]
pub(super) struct Seat {
    crowd: Arc<Crowd>,
    address: IpAddr,
}

impl Crowd {
    /// A seat for a connection from `address`, or nothing when it holds too many.
    pub(super) fn enter(self: &Arc<Self>, address: IpAddr, limits: &Limits) -> Option<Seat> {
        let address = group(address);
        let most = if address.is_loopback() { limits.per_loopback_max } else { limits.per_address_max };
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(address).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Seat { crowd: self.clone(), address })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut counts = self.crowd.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.address);
            }
        }
    }
}

/// Addresses that one client can take at will count as one.
fn group(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) if !v6.is_loopback() => Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_capped_and_a_seat_given_back() {
        let crowd = Arc::new(Crowd::default());
        let limits = Limits { per_address_max: 2, per_loopback_max: 3, ..Limits::default() };
        let enter = |text: &str| crowd.enter(text.parse().expect("an address"), &limits);
        let first = enter("2001:db8::1").expect("a seat");
        let _second = enter("2001:db8::2").expect("the same /64");
        assert!(enter("2001:db8::3").is_none());
        drop(first);
        assert!(enter("2001:db8::3").is_some());
        let local: Vec<_> = (0..4).filter_map(|_| enter("127.0.0.1")).collect();
        assert_eq!(local.len(), 3);
        assert!(enter("::ffff:127.0.0.1").is_none());
    }
}
