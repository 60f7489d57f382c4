//! Against a real redis-server. It must be installed: a store that was never tried is not tested.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use super::*;

/// A redis-server of our own on a free port; ends with the test.
struct Server {
    child: Child,
    port: u16,
}

impl Server {
    async fn start() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let server = Self { child: spawn(port), port };
        server.ready().await;
        server
    }

    async fn ready(&self) {
        let by = Instant::now() + Duration::from_secs(10);
        loop {
            let client = redis::Client::open(self.url().expose()).unwrap();
            if let Ok(mut connection) = client.get_multiplexed_async_connection().await
                && redis::cmd("PING").query_async::<String>(&mut connection).await.is_ok()
            {
                return;
            }
            assert!(Instant::now() < by, "redis-server does not answer");
            tokio::task::yield_now().await;
        }
    }

    fn url(&self) -> Secret {
        Secret::new(format!("redis://127.0.0.1:{}/", self.port))
    }

    fn signal(&self, signal: &str) {
        let done = Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap();
        assert!(done.success());
    }

    fn end(&mut self) {
        // Already gone is as good.
        let _ = self.child.kill();
        self.child.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

fn spawn(port: u16) -> Child {
    Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("redis-server must be installed: apt-get install redis-server")
}

/// Long enough for a busy machine to connect in.
const DEADLINE: Duration = Duration::from_millis(500);
const KEEP: Duration = Duration::from_secs(60);

async fn is_back(redis: &Redis) {
    let mut changes = redis.changes();
    tokio::time::timeout(Duration::from_secs(15), changes.wait_for(|up| *up)).await.expect("never back").unwrap();
}

#[tokio::test]
async fn what_is_set_is_got_until_its_time_is_over() {
    let server = Server::start().await;
    let redis = Redis::new(&server.url(), Duration::from_secs(5)).unwrap();
    assert!(redis.check().await);
    assert_eq!(redis.get(b"k").await.unwrap(), None);
    let value: Vec<u8> = (0..=255).collect();
    redis.set(b"k", &value, KEEP).await.unwrap();
    assert_eq!(redis.get(b"k").await.unwrap().unwrap(), value);
    let left = redis.run(redis::cmd("PTTL").arg("k")).await.unwrap();
    assert!(matches!(left, redis::Value::Int(50_000..=60_000)), "{left:?}");
    redis.set(b"short", b"v", Duration::from_millis(1)).await.unwrap();
    let by = Instant::now() + Duration::from_secs(5);
    while redis.get(b"short").await.unwrap().is_some() {
        assert!(Instant::now() < by, "never expires");
    }
    redis.set(b"none", b"v", Duration::ZERO).await.unwrap();
    assert_eq!(redis.get(b"none").await.unwrap(), None);
    redis.set(b"long", b"v", Duration::MAX).await.unwrap();
}

#[tokio::test]
async fn a_stopped_redis_costs_one_deadline_and_is_used_again_when_it_goes_on() {
    let server = Server::start().await;
    let redis = Redis::new(&server.url(), DEADLINE).unwrap();
    redis.set(b"k", b"v", KEEP).await.unwrap();
    server.signal("-STOP");
    let began = Instant::now();
    assert!(matches!(redis.get(b"k").await, Err(StoreError::Deadline)));
    assert!(began.elapsed() >= DEADLINE);
    assert!(!redis.is_up());
    let began = Instant::now();
    for _ in 0..1000 {
        assert!(matches!(redis.get(b"k").await, Err(StoreError::Down)));
    }
    assert!(began.elapsed() < DEADLINE, "a Redis known to be down must cost nothing");
    assert!(!redis.check().await);
    server.signal("-CONT");
    is_back(&redis).await;
    assert_eq!(redis.get(b"k").await.unwrap().unwrap(), "v");
}

#[tokio::test]
async fn a_redis_that_is_gone_is_skipped_and_found_again_at_its_place() {
    let mut server = Server::start().await;
    let redis = Redis::new(&server.url(), DEADLINE).unwrap();
    redis.set(b"k", b"v", KEEP).await.unwrap();
    server.end();
    let began = Instant::now();
    assert!(redis.get(b"k").await.is_err());
    assert!(redis.set(b"k", b"v", KEEP).await.is_err());
    assert!(began.elapsed() < DEADLINE * 2);
    assert!(!redis.is_up());
    server.child = spawn(server.port);
    is_back(&redis).await;
    assert_eq!(redis.get(b"k").await.unwrap(), None);
    redis.set(b"k", b"v", KEEP).await.unwrap();
}

#[tokio::test]
async fn a_redis_that_was_never_there_is_down_after_the_first_look() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let redis = Redis::new(&Secret::new(format!("redis://127.0.0.1:{port}")), DEADLINE).unwrap();
    assert!(!redis.check().await);
    assert!(!redis.is_up());
}

#[tokio::test]
async fn a_redis_that_refused_the_password_is_used_once_it_takes_it() {
    let server = Server::start().await;
    let admin = Redis::new(&server.url(), Duration::from_secs(5)).unwrap();
    let url = Secret::new(format!("redis://user:hunter2@127.0.0.1:{}/", server.port));
    let redis = Redis::new(&url, Duration::from_secs(1)).unwrap();
    assert!(!redis.check().await);
    let add = ["SETUSER", "user", "on", ">hunter2", "~*", "+@all"];
    admin.run(redis::cmd("ACL").arg(&add)).await.unwrap();
    is_back(&redis).await;
    redis.set(b"k", b"v", KEEP).await.unwrap();
}

#[tokio::test]
async fn no_error_shows_the_password() {
    let server = Server::start().await;
    let with_password = Secret::new(format!("redis://user:hunter2@127.0.0.1:{}/", server.port));
    let redis = Redis::new(&with_password, Duration::from_secs(5)).unwrap();
    let wrong_password = redis.get(b"k").await.unwrap_err();
    let wrong_address = Redis::new(&Secret::new("http://user:hunter2@h/".to_owned()), DEADLINE).err().unwrap();
    for error in [wrong_password, wrong_address] {
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }
}
