use std::time::Duration;

use governor::clock::FakeRelativeClock;

use super::*;

fn tenant(name: &str, limits: Limits) -> Arc<Tenant> {
    Arc::new(Tenant {
        name: name.into(),
        region: None,
        policy: "default".into(),
        floor: BTreeMap::new(),
        unscanned_as: None,
        limits,
    })
}

fn key(id: &str, limits: Limits) -> Key {
    Key {
        id: id.into(),
        hmac: [0; 32],
        tenant: "acme".into(),
        team: None,
        models: Vec::new(),
        expires: None,
        may_set: Vec::new(),
        labels: BTreeMap::new(),
        permissions: Vec::new(),
        limits,
    }
}

fn rate(per_minute: u32) -> Limits {
    Limits { requests_per_minute: Some(per_minute), concurrent: None }
}

fn at_once(concurrent: u32) -> Limits {
    Limits { requests_per_minute: None, concurrent: Some(concurrent) }
}

/// Tenant `acme` and its keys `k1` and `k2`.
fn limiter(of_tenant: Limits, of_key: Limits) -> (Limiter<FakeRelativeClock>, FakeRelativeClock) {
    let clock = FakeRelativeClock::default();
    // GCRA's zero is the start; a limiter is never asked at the very nanosecond it was made.
    let tenants = BTreeMap::from([("acme".into(), tenant("acme", of_tenant))]);
    let limiter = Limiter::with_clock(&[key("k1", of_key), key("k2", of_key)], &tenants, None, &clock);
    clock.advance(Duration::from_secs(1));
    (limiter, clock)
}

fn ask(limiter: &Limiter<FakeRelativeClock>, key: &str) -> Result<Admitted, LimitError> {
    limiter.admit(&"acme".into(), Some(&key.into()))
}

#[test]
fn without_limits_everyone_comes_in_and_no_header_is_sent() {
    let (limiter, _) = limiter(Limits::default(), Limits::default());
    for _ in 0..1000 {
        assert_eq!(ask(&limiter, "k1").unwrap().headers, None);
    }
    assert!(limiter.admit(&"stranger".into(), None).is_ok());
}

#[test]
fn the_headers_count_down_and_reset_says_when_all_is_back() {
    let (limiter, clock) = limiter(Limits::default(), rate(3));
    let seen: Vec<_> = (0..3).map(|_| ask(&limiter, "k1").unwrap().headers.unwrap()).collect();
    let told = |remaining, seconds| RateLimit { limit: 3, remaining, reset: Duration::from_secs(seconds) };
    assert_eq!(seen, [told(2, 20), told(1, 40), told(0, 60)]);

    clock.advance(Duration::from_secs(5));
    let refused = ask(&limiter, "k1").unwrap_err();
    assert_eq!(refused.retry_after(), Duration::from_secs(15));
    assert_eq!(refused.headers(), Some(told(0, 55)));

    clock.advance(Duration::from_secs(15));
    assert_eq!(ask(&limiter, "k1").unwrap().headers, Some(told(0, 60)), "retry-after was true");
    clock.advance(Duration::from_secs(60));
    assert_eq!(ask(&limiter, "k1").unwrap().headers, Some(told(2, 20)), "reset was true");
}

#[test]
fn one_key_at_its_limit_leaves_the_other_and_the_tenant_alone() {
    let (limiter, _) = limiter(rate(5), rate(3));
    for _ in 0..3 {
        ask(&limiter, "k1").unwrap();
    }
    for _ in 0..10 {
        let refused = ask(&limiter, "k1").unwrap_err();
        assert!(matches!(refused, LimitError::RateExceeded { scope: Scope::Key, .. }), "{refused}");
    }
    let headers = ask(&limiter, "k2").unwrap().headers.unwrap();
    assert_eq!((headers.limit, headers.remaining), (5, 1), "ten refusals cost the tenant nothing");
}

#[test]
fn a_refusal_by_the_tenant_gives_the_key_its_request_back() {
    let (limiter, clock) = limiter(rate(1), rate(3));
    ask(&limiter, "k1").unwrap();
    for _ in 0..10 {
        let refused = ask(&limiter, "k1").unwrap_err();
        assert!(matches!(refused, LimitError::RateExceeded { scope: Scope::Tenant, .. }), "{refused}");
    }
    let rate = limiter.keys.get("k1").unwrap().rate.as_ref().unwrap();
    assert_eq!(rate.check().unwrap().remaining, 1, "one for the request let in, one for this");
    clock.advance(Duration::from_secs(60));
    assert!(ask(&limiter, "k1").is_ok());
}

#[test]
fn the_tightest_limit_is_the_one_told() {
    let (limiter, _) = limiter(rate(10), rate(100));
    assert_eq!(ask(&limiter, "k1").unwrap().headers.unwrap().limit, 10);
}

#[test]
fn a_request_that_ends_makes_room_for_the_next() {
    let (limiter, _) = limiter(at_once(3), at_once(2));
    let first = ask(&limiter, "k1").unwrap();
    let _second = ask(&limiter, "k1").unwrap();
    let refused = ask(&limiter, "k1").unwrap_err();
    assert_eq!(refused, LimitError::Concurrency { scope: Scope::Key, limit: 2 });
    let _third = ask(&limiter, "k2").unwrap();
    let refused = ask(&limiter, "k2").unwrap_err();
    assert_eq!(refused, LimitError::Concurrency { scope: Scope::Tenant, limit: 3 });
    drop(first);
    assert!(ask(&limiter, "k2").is_ok(), "the slot refused by the tenant is not kept by the key");
}

#[test]
fn a_refusal_for_too_many_at_once_costs_no_rate() {
    let limits = Limits { requests_per_minute: Some(5), concurrent: Some(1) };
    let (limiter, _) = limiter(Limits::default(), limits);
    let running = ask(&limiter, "k1").unwrap();
    for _ in 0..10 {
        assert!(ask(&limiter, "k1").is_err());
    }
    drop(running);
    assert_eq!(ask(&limiter, "k1").unwrap().headers.unwrap().remaining, 3);
}

#[test]
fn a_refusal_by_rate_frees_its_slot() {
    let limits = Limits { requests_per_minute: Some(1), concurrent: Some(1) };
    let (limiter, clock) = limiter(Limits::default(), limits);
    drop(ask(&limiter, "k1").unwrap());
    assert!(ask(&limiter, "k1").is_err());
    clock.advance(Duration::from_secs(60));
    assert!(ask(&limiter, "k1").is_ok());
}

#[test]
fn many_threads_never_get_more_than_the_limit() {
    let limits = Limits { requests_per_minute: Some(100), concurrent: Some(1000) };
    let (limiter, _) = limiter(limits, Limits::default());
    let count = || (0..100).filter(|_| ask(&limiter, "k1").is_ok()).count();
    let let_in: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(count)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(let_in, 100);
    assert_eq!(limiter.tenants.get("acme").unwrap().slots.as_ref().unwrap().taken.load(Ordering::Acquire), 0);
}

#[test]
fn a_limit_of_nothing_lets_nobody_in() {
    let (limiter, _) = limiter(rate(0), Limits::default());
    assert!(ask(&limiter, "k1").is_err());
}

/// The same keys and tenant with other limits, after a reload.
fn renewed(
    old: &Limiter<FakeRelativeClock>,
    clock: &FakeRelativeClock,
    of_tenant: Limits,
    of_key: Limits,
) -> Limiter<FakeRelativeClock> {
    let tenants = BTreeMap::from([("acme".into(), tenant("acme", of_tenant))]);
    Limiter::with_clock(&[key("k1", of_key), key("k2", of_key)], &tenants, Some(old), clock)
}

#[test]
fn a_reload_gives_nobody_a_second_minute() {
    let (old, clock) = limiter(rate(100), rate(4));
    (0..4).for_each(|_| drop(ask(&old, "k1").unwrap()));
    let same = renewed(&old, &clock, rate(100), rate(4));
    assert!(ask(&same, "k1").is_err(), "the rate is used up, whatever was loaded meanwhile");
    let wider = renewed(&same, &clock, rate(100), rate(8));
    let let_in = (0..20).filter(|_| ask(&wider, "k1").is_ok()).count();
    assert_eq!(let_in, 4, "four of eight are used");
    let narrower = renewed(&wider, &clock, rate(100), rate(2));
    assert!(ask(&narrower, "k1").is_err());
    let gone = renewed(&narrower, &clock, rate(100), Limits::default());
    assert!(ask(&gone, "k1").is_ok(), "there is no limit any more");
}

#[test]
fn a_lower_rate_keeps_nobody_out_for_more_than_a_minute() {
    let (old, clock) = limiter(rate(600), Limits::default());
    (0..600).for_each(|_| drop(ask(&old, "k1").unwrap()));
    let narrower = renewed(&old, &clock, rate(10), Limits::default());
    let error = ask(&narrower, "k1").expect_err("all of the minute is used up");
    assert!(error.retry_after() <= Duration::from_secs(60), "{:?}", error.retry_after());
}

#[test]
fn requests_that_run_count_against_the_new_limit_and_leave_it_when_they_end() {
    let (old, clock) = limiter(Limits::default(), at_once(3));
    let running: Vec<_> = (0..3).map(|_| ask(&old, "k1").unwrap()).collect();
    let new = renewed(&old, &clock, Limits::default(), at_once(1));
    assert!(ask(&new, "k1").is_err());
    drop(running);
    let one = ask(&new, "k1").unwrap();
    assert!(ask(&new, "k1").is_err());
    assert!(ask(&old, "k1").is_ok(), "those that still come under the old limit are counted together");
    drop(one);
}
