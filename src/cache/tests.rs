//! The cache in memory and in a real Redis.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use bytes::Bytes;

use super::*;
use crate::chat::Usage;
use crate::config::Secret;

fn config(exact: bool, ttl: Duration, max: u64) -> config::Cache {
    config::Cache { exact, ttl, max, sampled: false, max_data_class: None }
}

const HOUR: Duration = Duration::from_secs(3600);

fn key(model: &str) -> Key {
    Key::new(&"t".into(), &"p".into(), "sha256:0", model, &[b"{}"])
}

fn entry(size: usize) -> Entry {
    Entry {
        target: "m@p".into(),
        upstream: "org/m".to_owned(),
        body: Bytes::from(vec![b' '; size]),
        usage: Usage { input: 1, output: 2, ..Usage::default() },
        stored_at: SystemTime::now(),
    }
}

/// Allows everything.
fn any(target: &TargetName) -> Option<TargetName> {
    Some(target.clone())
}

/// Allows nothing.
fn none(_: &TargetName) -> Option<()> {
    None
}

#[tokio::test]
async fn off_is_a_bypass_and_keeps_nothing() {
    let cache = Cache::new(&config(false, HOUR, 1 << 20), None);
    cache.keep(key("m"), entry(10));
    assert!(cache.is_off());
    assert!(matches!(cache.find(&key("m"), any).await, Lookup::Bypass(Bypass::Off)));
}

#[tokio::test]
async fn a_kept_answer_is_found_only_by_its_key_and_only_where_its_target_is_allowed() {
    let cache = Cache::new(&config(true, HOUR, 1 << 20), None);
    let kept = entry(10);
    cache.keep(key("m"), kept.clone());
    let Lookup::Hit { entry, permitted } = cache.find(&key("m"), any).await else { panic!("no hit") };
    assert_eq!((entry, permitted), (kept, "m@p".into()));
    assert!(matches!(cache.find(&key("m"), none).await, Lookup::Miss));
    assert!(matches!(cache.find(&key("n"), any).await, Lookup::Miss));
}

#[tokio::test]
async fn memory_stays_within_its_bounds_of_size_and_time() {
    let cache = Cache::new(&config(true, HOUR, 100_000), None);
    for number in 0..100 {
        cache.keep(key(&number.to_string()), entry(10_000));
    }
    let Place::Memory(memory) = &cache.place else { panic!("not in memory") };
    memory.run_pending_tasks();
    assert!((1..=100_000).contains(&memory.weighted_size()), "{}", memory.weighted_size());

    let brief = Cache::new(&config(true, Duration::from_millis(1), 1 << 20), None);
    brief.keep(key("m"), entry(10));
    let by = Instant::now() + Duration::from_secs(5);
    while matches!(brief.find(&key("m"), any).await, Lookup::Hit { .. }) {
        assert!(Instant::now() < by, "never expires");
    }

    let roomy = Cache::new(&config(true, HOUR, 1 << 30), None);
    roomy.keep(key("m"), entry(LARGEST + 1));
    assert!(matches!(roomy.find(&key("m"), any).await, Lookup::Miss));
}

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        // Already gone is as good.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A real Redis, and a store over it that is up.
async fn redis(deadline: Duration) -> (Server, Redis) {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let child = Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("redis-server must be installed: apt-get install redis-server");
    let server = Server(child);
    let redis = Redis::new(&Secret::new(format!("redis://127.0.0.1:{port}")), deadline).unwrap();
    if !redis.check().await {
        let mut changes = redis.changes();
        tokio::time::timeout(Duration::from_secs(15), changes.wait_for(|up| *up)).await.unwrap().unwrap();
    }
    (server, redis)
}

async fn hit(cache: &Cache, key: &Key) -> Entry {
    let by = Instant::now() + Duration::from_secs(5);
    loop {
        if let Lookup::Hit { entry, .. } = cache.find(key, any).await {
            return entry;
        }
        assert!(Instant::now() < by, "never kept");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn replicas_share_what_one_has_put_into_redis() {
    let (_server, redis) = redis(Duration::from_secs(5)).await;
    let one = Cache::new(&config(true, HOUR, 0), Some(redis.clone()));
    let two = Cache::new(&config(true, HOUR, 0), Some(redis.clone()));
    let kept = entry(100_000);
    one.keep(key("m"), kept.clone());
    let found = hit(&two, &key("m")).await;
    assert_eq!((found.target, found.body, found.usage), (kept.target, kept.body, kept.usage));
    assert!(matches!(two.find(&key("m"), none).await, Lookup::Miss));
    assert!(matches!(two.find(&key("n"), any).await, Lookup::Miss));

    let stricter = Cache::new(&config(true, Duration::ZERO, 0), Some(redis.clone()));
    assert!(matches!(stricter.find(&key("m"), any).await, Lookup::Miss));

    redis.set(&stored_key(&key("m")), b"wpc1 broken", HOUR).await.unwrap();
    assert!(matches!(two.find(&key("m"), any).await, Lookup::Miss));
}

#[tokio::test]
async fn a_redis_that_stalls_is_passed_by_within_the_deadline() {
    let deadline = Duration::from_millis(500);
    let (server, redis) = redis(deadline).await;
    let cache = Cache::new(&config(true, HOUR, 0), Some(redis.clone()));
    assert!(Command::new("kill").args(["-STOP", &server.0.id().to_string()]).status().unwrap().success());
    let began = Instant::now();
    cache.keep(key("m"), entry(10));
    assert!(matches!(cache.find(&key("m"), any).await, Lookup::Bypass(Bypass::Store)));
    assert!(matches!(cache.find(&key("m"), any).await, Lookup::Bypass(Bypass::Store)));
    // One deadline, not three; twice of it leaves room for a busy machine.
    assert!(began.elapsed() < deadline * 2);
    assert!(!redis.is_up());
}
