//! Logging in by an OpenID provider, against one on the loopback address that lies as it is told.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::routing::{get, post};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::{Value, json};

use super::browsing::{Browser, Got, PASSWORD};
use super::tests::Stage;
use crate::casebook::audit::Kind;
use crate::casebook::{hash, identities, people};
use crate::config::ConsoleConfig;
use crate::rights::{Regions, Role};

const SECRET: &str = "a secret: of 100 %";

/// The provider.
struct Peer {
    issuer: String,
    inside: Arc<Mutex<Inside>>,
}

struct Inside {
    issuer: String,
    keys: [EcdsaKeyPair; 2],
    /// What was agreed to, by code; each counts once.
    codes: HashMap<String, Agreed>,
    lie: Lie,
    mood: Mood,
}

/// What it says instead of the truth.
type Lie = fn(&mut Said);

/// Somebody has agreed there to be known here.
struct Agreed {
    asked: HashMap<String, String>,
    subject: String,
    name: String,
    at: Timestamp,
}

/// A token before it is signed.
struct Said {
    header: Value,
    claims: Value,
    by: By,
}

/// What it is signed with.
enum By {
    Own,
    /// A key of somebody else, under the same name.
    Other,
    /// Nothing.
    Nothing,
    /// The public key, as a secret that both sides have.
    Shared,
}

/// How it answers.
#[derive(Clone, Copy, PartialEq)]
enum Mood {
    Well,
    Never,
    NeverOfKeys,
    Broken,
    /// It calls itself by another name.
    Foreign,
    /// Its addresses are such that nothing should be sent there.
    Address(&'static str),
}

impl Peer {
    async fn start() -> Peer {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}/realms/pension", listener.local_addr().unwrap());
        let random = SystemRandom::new();
        let key = || {
            let how = &ECDSA_P256_SHA256_FIXED_SIGNING;
            let made = EcdsaKeyPair::generate_pkcs8(how, &random).unwrap();
            EcdsaKeyPair::from_pkcs8(how, made.as_ref(), &random).unwrap()
        };
        let inside = Arc::new(Mutex::new(Inside {
            issuer: issuer.clone(),
            keys: [key(), key()],
            codes: HashMap::new(),
            lie: |_| (),
            mood: Mood::Well,
        }));
        let pages = Router::new()
            .route(
                "/realms/pension/.well-known/openid-configuration",
                get(discovery),
            )
            .route("/keys", get(keys))
            .route("/token", post(token))
            .with_state(Arc::clone(&inside));
        tokio::spawn(async move { axum::serve(listener, pages).await });
        Peer { issuer, inside }
    }

    fn set(&self, mood: Mood, lie: Lie) {
        let mut inside = self.inside.lock().unwrap();
        (inside.mood, inside.lie) = (mood, lie);
    }

    /// Somebody logs in there: the place that his browser is sent back to.
    fn agree(&self, place: &str, subject: &str, name: &str, at: Timestamp) -> String {
        let (page, query) = place.split_once('?').unwrap();
        assert!(page.ends_with("/authorize"), "{page}");
        let asked: HashMap<String, String> = form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect();
        assert_eq!(asked["response_type"], "code");
        assert_eq!(asked["client_id"], "fundwatch");
        assert_eq!(asked["code_challenge_method"], "S256");
        assert_eq!(
            asked["redirect_uri"],
            "http://127.0.0.1:9465/login/oidc/back"
        );
        let code = hash(&format!("{place}{subject}{name}"));
        let back = super::form::query([("state", asked["state"].as_str()), ("code", &code)]);
        let agreed = Agreed {
            asked,
            subject: subject.to_owned(),
            name: name.to_owned(),
            at,
        };
        self.inside.lock().unwrap().codes.insert(code, agreed);
        format!("/login/oidc/back?{back}&session_state=x")
    }
}

type Shared = State<Arc<Mutex<Inside>>>;

async fn discovery(State(inside): Shared) -> Result<String, StatusCode> {
    let mood = inside.lock().unwrap().mood;
    if mood == Mood::Never {
        std::future::pending::<()>().await;
    }
    if mood == Mood::Broken {
        return Err(StatusCode::BAD_GATEWAY);
    }
    let issuer = inside.lock().unwrap().issuer.clone();
    let base = issuer.strip_suffix("/realms/pension").unwrap();
    let authorize = match mood {
        Mood::Address(address) => address.to_owned(),
        _ => format!("{base}/authorize"),
    };
    Ok(json!({
        "issuer": if mood == Mood::Foreign { "https://elsewhere.example" } else { &issuer },
        "authorization_endpoint": authorize,
        "token_endpoint": format!("{base}/token"),
        "jwks_uri": format!("{base}/keys"),
    })
    .to_string())
}

async fn keys(State(inside): Shared) -> String {
    if inside.lock().unwrap().mood == Mood::NeverOfKeys {
        std::future::pending::<()>().await;
    }
    let point = inside.lock().unwrap().keys[0]
        .public_key()
        .as_ref()
        .to_vec();
    let (x, y) = point[1..].split_at(32);
    let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
    json!({"keys": [
        {"kty": "RSA", "kid": "k", "use": "enc", "alg": "RSA-OAEP", "n": "AQAB", "e": "AQAB"},
        {"kty": "new", "kid": "k"},
        {"kty": "oct", "kid": "k", "k": STANDARD.encode(&point)},
        {"kty": "EC", "crv": "P-256", "kid": "k", "use": "sig", "alg": "ES256", "x": x, "y": y},
    ]})
    .to_string()
}

/// Insists on secret, verifier and address, as a provider does; a code counts once.
async fn token(
    State(inside): Shared,
    headers: HeaderMap,
    body: String,
) -> Result<String, StatusCode> {
    let inside = &mut *inside.lock().unwrap();
    let pair = STANDARD.encode("fundwatch:a+secret%3A+of+100+%25");
    if headers[header::AUTHORIZATION] != format!("Basic {pair}") {
        return Err(StatusCode::UNAUTHORIZED);
    }
    let sent: HashMap<String, String> = form_urlencoded::parse(body.as_bytes())
        .into_owned()
        .collect();
    let agreed = inside.codes.remove(&sent["code"]);
    let agreed = agreed.ok_or(StatusCode::BAD_REQUEST)?;
    let verifier = sent["code_verifier"].as_bytes();
    let digest = ring::digest::digest(&ring::digest::SHA256, verifier);
    if agreed.asked["code_challenge"] != URL_SAFE_NO_PAD.encode(digest)
        || agreed.asked["redirect_uri"] != sent["redirect_uri"]
        || verifier.len() < 43
    {
        return Err(StatusCode::BAD_REQUEST);
    }
    let now = agreed.at.as_second();
    let mut said = Said {
        header: json!({"alg": "ES256", "kid": "k"}),
        claims: json!({
            "iss": inside.issuer, "sub": agreed.subject, "aud": "fundwatch", "azp": "fundwatch",
            "iat": now, "exp": now + 300, "nonce": agreed.asked["nonce"], "preferred_username": agreed.name,
        }),
        by: By::Own,
    };
    (inside.lie)(&mut said);
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", part(&said.header), part(&said.claims));
    let sign = |key: &EcdsaKeyPair| {
        let signed = key.sign(&SystemRandom::new(), message.as_bytes()).unwrap();
        signed.as_ref().to_vec()
    };
    let signature = match said.by {
        By::Own => sign(&inside.keys[0]),
        By::Other => sign(&inside.keys[1]),
        By::Nothing => Vec::new(),
        By::Shared => {
            let point = inside.keys[0].public_key().as_ref();
            let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, point);
            ring::hmac::sign(&key, message.as_bytes()).as_ref().to_vec()
        }
    };
    let token = format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature));
    Ok(json!({"access_token": "x", "token_type": "Bearer", "id_token": token}).to_string())
}

/// A console with a provider.
struct World {
    stage: Stage,
    peer: Peer,
    _folder: tempfile::TempDir,
}

impl World {
    /// Without a second factor, and with these lines more in the table.
    async fn new(more: &str) -> World {
        World::with(false, more).await
    }

    async fn with(second_factor: bool, more: &str) -> World {
        // A busy machine is no provider that is away.
        let more = match more.contains("timeout_seconds") {
            true => more.to_owned(),
            false => format!("timeout_seconds = 15\n{more}"),
        };
        let peer = Peer::start().await;
        let folder = tempfile::tempdir().unwrap();
        let secret = folder.path().join("secret");
        std::fs::write(&secret, format!("{SECRET}\n")).unwrap();
        let table = format!(
            "issuer = {:?}\nclient_id = \"fundwatch\"\nclient_secret_file = {:?}\n{more}\n",
            peer.issuer,
            secret.display().to_string()
        );
        let stage = Stage::with(ConsoleConfig {
            second_factor,
            oidc: Some(toml::from_str(&table).unwrap()),
            ..ConsoleConfig::default()
        });
        World {
            stage,
            peer,
            _folder: folder,
        }
    }

    /// Adds a viewer who logs in by the provider, and gives the one-time token.
    fn add(&self, login: &'static str) -> String {
        let actor = self.stage.actor();
        let added = self.stage.app.casebook.write_blocking(move |transaction| {
            let (role, regions) = (Role::Viewer, Regions::All);
            let token = people::add(transaction, &actor, login, login, role, &regions)?;
            identities::let_log_in(transaction, &actor, login, true)?;
            Ok(token)
        });
        added.unwrap()
    }

    /// Leaves for the provider from a form: where the browser is sent.
    async fn leave(&self, browser: &mut Browser, path: &str, fields: &[(&str, &str)]) -> String {
        self.stage.get(browser, "/login").await;
        let got = self.stage.post(browser, path, fields).await;
        assert_eq!(got.status, StatusCode::OK, "{}", got.text);
        place_of(&got)
    }

    /// The whole way of somebody whom the provider calls so.
    async fn try_log_in(&self, browser: &mut Browser, subject: &str, name: &str) -> Got {
        let place = self.leave(browser, "/login/oidc", &[]).await;
        let back = self.peer.agree(&place, subject, name, self.stage.time());
        self.stage.get(browser, &back).await
    }

    async fn try_enrol(&self, token: &str, subject: &str, name: &str) -> Got {
        let mut browser = Browser::default();
        let place = self
            .leave(&mut browser, "/enrol/oidc", &[("token", token)])
            .await;
        let back = self.peer.agree(&place, subject, name, self.stage.time());
        self.stage.get(&mut browser, &back).await
    }

    /// Adds and enrols `li`, whom the provider knows as `s-1`.
    async fn with_li(&self) {
        let got = self.try_enrol(&self.add("li"), "s-1", "li").await;
        assert_eq!(got.headers[header::LOCATION], "/login?enrolled=1");
    }

    async fn is_in(&self, browser: &mut Browser) -> bool {
        let got = self.stage.get(browser, "/account").await;
        got.status == StatusCode::OK
    }

    /// Nobody was let in, and the trail's last row says why.
    async fn assert_refused(&self, got: &Got, browser: &mut Browser, kind: Kind, why: &str) {
        assert_eq!(got.status, StatusCode::UNAUTHORIZED, "{why}: {}", got.text);
        assert!(!browser.cookies.contains_key("session"), "{why}");
        assert!(!self.is_in(browser).await, "{why}");
        let row = &self.stage.trail(kind)[0];
        assert_eq!((row.ok, row.note.as_str()), (false, why));
    }
}

/// Where the page leads that is shown before somebody leaves.
fn place_of(got: &Got) -> String {
    let link = got.text.split("<a class=\"button main\" href=\"").nth(1);
    let place = link.unwrap().split('"').next().unwrap();
    let refresh = format!("<meta http-equiv=\"refresh\" content=\"0; url={place}\">");
    assert!(got.text.contains(&refresh));
    place.replace("&#38;", "&")
}

/// An account is bound by its token, once; from then on the provider's name for somebody is what counts, whatever he is
/// called there, and the session is one as after a password.
#[tokio::test]
async fn an_account_is_bound_by_its_token_and_known_by_its_subject() {
    let world = World::new("").await;
    let token = world.add("li");
    let got = world.try_enrol(&token, "s-1", "Li").await;
    assert_eq!(got.headers[header::LOCATION], "/login?enrolled=1");
    let row = &world.stage.trail(Kind::Enrolled)[0];
    assert_eq!(
        (row.login.as_str(), row.note.as_str()),
        ("li", "by the provider")
    );

    let mut browser = Browser::default();
    let next = [("next", "/alerts?tab=all")];
    let place = world.leave(&mut browser, "/login/oidc", &next).await;
    // S9, S7: the cookie of the attempt is not the session's, and is gone with it.
    let (attempt, before) = (browser.cookies["attempt"].clone(), browser.cookies.clone());
    let back = world
        .peer
        .agree(&place, "s-1", "renamed", world.stage.time());
    let got = world.stage.get(&mut browser, &back).await;
    assert_eq!(got.status, StatusCode::SEE_OTHER);
    assert_eq!(got.headers[header::LOCATION], "/alerts?tab=all");
    assert!(!browser.cookies.contains_key("attempt") && !before.contains_key("session"));
    assert_ne!(browser.cookies["session"], attempt);
    assert!(world.is_in(&mut browser).await);
    let row = &world.stage.trail(Kind::Login)[0];
    assert_eq!(
        (row.login.as_str(), row.ok, row.note.as_str()),
        ("li", true, "by the provider")
    );
    // Of the subject nothing is kept that it could be read from.
    let path = world.stage.app.store.with_file_name("console.sqlite-wal");
    let bytes = std::fs::read(path).unwrap();
    assert!(!bytes.windows(3).any(|window| window == b"s-1"));
    // Logging out ends the session here.
    let page = world.stage.get(&mut browser, "/account").await;
    assert!(!page.text.contains("name=\"old\"") && page.text.contains("统一身份认证"));
    let old = browser.clone();
    world.stage.post(&mut browser, "/logout", &[]).await;
    assert!(!world.is_in(&mut old.clone()).await);
}

/// Whoever takes somebody's name at the provider gets nothing: neither an account that is not enrolled yet, nor one that
/// is, nor one with a password; and a token alone is not enough either.
#[tokio::test]
async fn a_name_that_was_taken_at_the_provider_opens_no_account() {
    let world = World::new("").await;
    let token = world.add("li");
    let password = people::hash_password(PASSWORD).unwrap();
    world
        .stage
        .add("wang", Role::Administrator, &Regions::All, &password);
    let mut thief = Browser::default();
    let nobody = "provider: bound to no account";
    for name in ["li", "wang", "nobody"] {
        let got = world.try_log_in(&mut thief, "s-666", name).await;
        world
            .assert_refused(&got, &mut thief, Kind::Login, nobody)
            .await;
        assert_eq!(world.stage.trail(Kind::Login)[0].target, name);
    }
    // With the token, but called by another name there; the token stays good for its owner.
    let got = world.try_enrol(&token, "s-666", "thief").await;
    let why = "provider: AnotherPerson";
    world
        .assert_refused(&got, &mut thief, Kind::Enrolled, why)
        .await;
    assert_eq!(world.stage.trail(Kind::Enrolled)[0].target, "li");
    let got = world.try_enrol(&token, "s-1", "li").await;
    assert_eq!(got.status, StatusCode::SEE_OTHER);
    let got = world.try_log_in(&mut thief, "s-666", "li").await;
    world
        .assert_refused(&got, &mut thief, Kind::Login, nobody)
        .await;
    // One identity, one account; and a used token binds nothing.
    world.stage.get(&mut thief, "/login").await;
    let used = world
        .stage
        .post(&mut thief, "/enrol/oidc", &[("token", &token)])
        .await;
    assert_eq!(used.status, StatusCode::UNPROCESSABLE_ENTITY);
    let got = world.try_enrol(&world.add("zhao"), "s-1", "zhao").await;
    let why = "provider: IdentityTaken";
    world
        .assert_refused(&got, &mut thief, Kind::Enrolled, why)
        .await;
}

/// S5, S12: an account that is closed stays closed; whoever is closed while logged in is out at once.
#[tokio::test]
async fn a_disabled_account_is_refused() {
    let world = World::new("").await;
    world.with_li().await;
    let mut browser = Browser::default();
    world.try_log_in(&mut browser, "s-1", "li").await;
    let actor = world.stage.actor();
    let closed = world.stage.app.casebook.write_blocking(move |transaction| {
        people::change(transaction, &actor, "li", Role::Viewer, &Regions::All, true)
    });
    closed.unwrap();
    assert!(!world.is_in(&mut browser).await);
    let mut again = Browser::default();
    let got = world.try_log_in(&mut again, "s-1", "li").await;
    world
        .assert_refused(&got, &mut again, Kind::Login, "provider: disabled")
        .await;
    assert_eq!(world.stage.trail(Kind::Login)[0].target, "li");
}

/// Each part of the token is looked at: no other login's, no other console's, no other provider's, none that is over, and
/// none that the provider has not signed.
#[tokio::test]
async fn a_token_that_was_not_made_for_this_login_is_refused() {
    let world = World::new("").await;
    world.with_li().await;
    let lies: [(&str, Lie); 19] = [
        ("nonce", |said| said.claims["nonce"] = json!("another")),
        ("nonce", |said| said.claims["nonce"] = Value::Null),
        ("audience", |said| said.claims["aud"] = json!("another")),
        ("audience", |said| said.claims["azp"] = json!("another")),
        ("audience", |said| {
            said.claims["aud"] = json!(["fundwatch", "another"]);
            said.claims["azp"] = Value::Null;
        }),
        ("claims", |said| said.claims["aud"] = Value::Null),
        ("issuer", |said| {
            said.claims["iss"] = json!("https://elsewhere.example")
        }),
        ("issuer", |said| {
            said.claims["iss"] = json!([said.claims["iss"], "https://elsewhere.example"]);
        }),
        // A minute is given to clocks that differ, and no more.
        ("expired", |said| {
            said.claims["exp"] = json!(said.claims["iat"].as_i64().unwrap() - 60);
        }),
        ("claims", |said| said.claims["exp"] = json!("never")),
        ("not yet valid", |said| {
            said.claims["iat"] = json!(said.claims["iat"].as_i64().unwrap() + 61);
        }),
        ("not yet valid", |said| {
            said.claims["nbf"] = said.claims["exp"].clone()
        }),
        ("claims", |said| said.claims["sub"] = json!("")),
        ("algorithm", |said| {
            (said.header["alg"], said.by) = (json!("none"), By::Nothing);
        }),
        ("algorithm", |said| {
            (said.header["alg"], said.by) = (json!("HS256"), By::Shared);
        }),
        ("algorithm", |said| said.header["crit"] = json!(["exp"])),
        ("signature", |said| said.by = By::Other),
        ("signature", |said| said.by = By::Nothing),
        ("key", |said| said.header["kid"] = json!("another")),
    ];
    for (why, lie) in lies {
        world.peer.set(Mood::Well, lie);
        let mut browser = Browser::default();
        let got = world.try_log_in(&mut browser, "s-1", "li").await;
        let why = format!("provider: {why}");
        world
            .assert_refused(&got, &mut browser, Kind::Login, &why)
            .await;
        // What it was is the trail's to say; the page says that it does not hold.
        assert!(got.text.contains("统一身份认证未通过"), "{why}");
        // Twenty may fail before an address has to wait.
        world.stage.pass(SignedDuration::from_hours(2));
    }
    world.peer.set(Mood::Well, |said| {
        said.claims["aud"] = json!(["fundwatch", "another"]);
    });
    let mut browser = Browser::default();
    world.try_log_in(&mut browser, "s-1", "li").await;
    assert!(
        world.is_in(&mut browser).await,
        "a list of audiences, and we are the party"
    );
}

/// S10: the way back counts once, within ten minutes, in the browser that began; so nobody is logged in as somebody else,
/// and nothing is done by a link that was sent to him.
#[tokio::test]
async fn the_way_back_counts_once_in_its_own_browser_and_soon() {
    let world = World::new("").await;
    world.with_li().await;
    let (stage, over) = (&world.stage, "provider: over");
    let mut own = Browser::default();
    let place = world.leave(&mut own, "/login/oidc", &[]).await;
    let back = world.peer.agree(&place, "s-1", "li", stage.time());
    // Somebody else's, with an attempt of its own and without.
    let mut victim = Browser::default();
    let got = stage.get(&mut victim, &back).await;
    world
        .assert_refused(&got, &mut victim, Kind::Login, over)
        .await;
    let other = world.leave(&mut victim, "/login/oidc", &[]).await;
    let got = stage.get(&mut victim.clone(), &back).await;
    world
        .assert_refused(&got, &mut victim, Kind::Login, over)
        .await;
    // The state of the one with the code of the other: the verifier is not its own.
    let foreign = world.peer.agree(&other, "s-1", "li", stage.time());
    let code = back.split("code=").nth(1).unwrap();
    let mixed = format!("{}code={code}", foreign.split("code=").next().unwrap());
    let got = stage.get(&mut victim, &mixed).await;
    world
        .assert_refused(&got, &mut victim, Kind::Login, "provider: code")
        .await;
    // Its own: that code is spent, and with it the attempt.
    let kept = own.clone();
    let got = stage.get(&mut own, &back).await;
    world
        .assert_refused(&got, &mut own, Kind::Login, "provider: code")
        .await;
    for mut again in [own, kept] {
        let got = stage.get(&mut again, &back).await;
        world
            .assert_refused(&got, &mut again, Kind::Login, over)
            .await;
    }
    // One that succeeds counts once, too.
    let mut own = Browser::default();
    let place = world.leave(&mut own, "/login/oidc", &[]).await;
    let mut kept = own.clone();
    let back = world.peer.agree(&place, "s-1", "li", stage.time());
    assert_eq!(
        stage.get(&mut own, &back).await.status,
        StatusCode::SEE_OTHER
    );
    let got = stage.get(&mut kept, &back).await;
    world
        .assert_refused(&got, &mut kept, Kind::Login, over)
        .await;
    // Ten minutes.
    for (minutes, is_in) in [(9, true), (10, false)] {
        let mut slow = Browser::default();
        let place = world.leave(&mut slow, "/login/oidc", &[]).await;
        stage.pass(SignedDuration::from_mins(minutes));
        let back = world.peer.agree(&place, "s-1", "li", stage.time());
        stage.get(&mut slow, &back).await;
        assert_eq!(world.is_in(&mut slow).await, is_in, "{minutes}");
    }
    // What the provider refuses, and what it says twice.
    let mut own = Browser::default();
    let place = world.leave(&mut own, "/login/oidc", &[]).await;
    let state = place
        .split("state=")
        .nth(1)
        .unwrap()
        .split('&')
        .next()
        .unwrap();
    let twice = format!("/login/oidc/back?state={state}&state={state}&code=x");
    assert_eq!(
        stage.get(&mut own, &twice).await.status,
        StatusCode::BAD_REQUEST
    );
    let refused = format!("/login/oidc/back?state={state}&error=access_denied");
    let got = stage.get(&mut own, &refused).await;
    world
        .assert_refused(&got, &mut own, Kind::Login, "provider: refused there")
        .await;
}

/// A provider that is away, hangs or says nonsense is a page at once; whoever has a password logs in all the same, and
/// nothing of it is held against the address.
#[tokio::test]
async fn a_provider_that_is_away_holds_nobody_up() {
    let world = World::new("timeout_seconds = 2").await;
    world.with_li().await;
    let password = people::hash_password(PASSWORD).unwrap();
    world
        .stage
        .add("wang", Role::Viewer, &Regions::All, &password);
    let says_so = |got: &Got| {
        assert_eq!(got.status, StatusCode::SERVICE_UNAVAILABLE, "{}", got.text);
        assert!(got.text.contains("统一身份认证平台没有应答"));
        assert!(got.text.contains("name=\"password\""));
    };
    let rows = world.stage.trail(Kind::Login).len();
    for mood in [
        Mood::Never,
        Mood::Broken,
        Mood::Foreign,
        Mood::Address("http://login.example.org/authorize"),
        Mood::Address("https://a:b@login.example.org/authorize"),
        Mood::Address("https://login.example.org/\"><script>"),
        Mood::Address("javascript:alert(1)"),
    ] {
        world.peer.set(mood, |_| ());
        let mut browser = Browser::default();
        world.stage.get(&mut browser, "/login").await;
        says_so(&world.stage.post(&mut browser, "/login/oidc", &[]).await);
    }
    // It goes away between the two.
    let mut browser = Browser::default();
    world.peer.set(Mood::Well, |_| ());
    let place = world.leave(&mut browser, "/login/oidc", &[]).await;
    let back = world.peer.agree(&place, "s-1", "li", world.stage.time());
    world.peer.set(Mood::NeverOfKeys, |_| ());
    says_so(&world.stage.get(&mut browser, &back).await);
    assert_eq!(world.stage.trail(Kind::Login).len(), rows);
    world.stage.log_in("wang").await;
    // Where nobody listens at all.
    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let issuer = format!("issuer = \"http://{}\"\n", nobody.local_addr().unwrap());
    drop(nobody);
    let table = toml::from_str(&format!("{issuer}client_id = \"fundwatch\"")).unwrap();
    let stage = Stage::with(ConsoleConfig {
        oidc: Some(table),
        ..ConsoleConfig::default()
    });
    let mut browser = Browser::default();
    stage.get(&mut browser, "/login").await;
    says_so(&stage.post(&mut browser, "/login/oidc", &[]).await);
}

/// S4: whoever comes back with nothing again and again has to wait, and holds no password up.
#[tokio::test]
async fn s4_ways_back_that_fail_are_slowed_down_by_themselves() {
    let world = World::new("").await;
    let password = people::hash_password(PASSWORD).unwrap();
    world
        .stage
        .add("wang", Role::Viewer, &Regions::All, &password);
    let mut browser = Browser::default();
    let mut reached = 0;
    for _ in 0..100 {
        let got = world
            .stage
            .get(&mut browser, "/login/oidc/back?state=x&code=y")
            .await;
        reached += usize::from(got.status == StatusCode::UNAUTHORIZED);
        world.stage.pass(SignedDuration::from_secs(3));
    }
    assert!((20..=25).contains(&reached), "{reached}");
    assert_eq!(world.stage.trail(Kind::Login).len(), reached);
    world.stage.log_in("wang").await;
}

/// S3: the console's own second factor is asked for after the provider has answered; its code counts once, wrong ones
/// count against the account.
#[tokio::test]
async fn s3_the_second_factor_is_asked_for_after_the_provider() {
    let world = World::with(true, "").await;
    let stage = &world.stage;
    let token = world.add("li");
    let mut browser = Browser::default();
    stage.get(&mut browser, "/enrol").await;
    let form = stage
        .post(&mut browser, "/enrol", &[("token", &token)])
        .await;
    assert!(
        form.text.contains("启用账号")
            && form.text.contains("action=\"/enrol/oidc\"")
            && !form.text.contains("type=\"password\"")
    );
    let secret = form.text.split("name=\"secret\" value=\"").nth(1).unwrap();
    let secret = secret.split('"').next().unwrap().to_owned();
    let code = |at| people::totp_code(&secret, at).unwrap();
    let fields = |code: String| {
        [
            ("token", token.clone()),
            ("secret", secret.clone()),
            ("code", code),
        ]
    };
    let with = |fields: &[(&'static str, String); 3]| {
        let fields = fields.clone();
        async move {
            let mut browser = Browser::default();
            stage.get(&mut browser, "/enrol").await;
            let fields: Vec<_> = fields
                .iter()
                .map(|(name, value)| (*name, value.as_str()))
                .collect();
            let got = stage.post(&mut browser, "/enrol/oidc", &fields).await;
            (browser, got)
        }
    };
    let (_, got) = with(&fields("000000".to_owned())).await;
    assert_eq!(got.status, StatusCode::UNPROCESSABLE_ENTITY);
    let (mut browser, got) = with(&fields(code(stage.time()))).await;
    let back = world.peer.agree(&place_of(&got), "s-1", "li", stage.time());
    let got = stage.get(&mut browser, &back).await;
    assert_eq!(got.headers[header::LOCATION], "/login?enrolled=1");

    let mut browser = Browser::default();
    let got = world.try_log_in(&mut browser, "s-1", "li").await;
    assert_eq!(got.headers[header::LOCATION], "/login/oidc/code");
    assert!(!world.is_in(&mut browser).await);
    let page = stage.get(&mut browser, "/login/oidc/code").await;
    assert!(page.text.contains("name=\"code\""));
    // The one that was shown when enrolling, a wrong one, none.
    for wrong in [code(stage.time()), "000000".to_owned(), String::new()] {
        let got = stage
            .post(&mut browser, "/login/oidc/code", &[("code", &wrong)])
            .await;
        world
            .assert_refused(&got, &mut browser, Kind::Login, "provider: code")
            .await;
        assert_eq!(stage.trail(Kind::Login)[0].target, "li");
        stage.get(&mut browser, "/login/oidc/code").await;
    }
    stage.pass(SignedDuration::from_secs(30));
    let good = code(stage.time());
    // Another browser has no attempt; this one has one, once.
    let mut other = Browser::default();
    stage.get(&mut other, "/login").await;
    let got = stage
        .post(&mut other, "/login/oidc/code", &[("code", &good)])
        .await;
    assert_eq!(got.status, StatusCode::UNAUTHORIZED);
    let mut kept = browser.clone();
    let got = stage
        .post(&mut browser, "/login/oidc/code", &[("code", &good)])
        .await;
    assert_eq!(got.status, StatusCode::SEE_OTHER);
    assert!(world.is_in(&mut browser).await);
    stage.pass(SignedDuration::from_secs(30));
    let next = code(stage.time());
    let got = stage
        .post(&mut kept, "/login/oidc/code", &[("code", &next)])
        .await;
    assert_eq!(got.status, StatusCode::UNAUTHORIZED);
    assert!(!world.is_in(&mut kept).await);
    // Five wrong ones, and the account has to wait, as with passwords.
    let mut browser = Browser::default();
    world.try_log_in(&mut browser, "s-1", "li").await;
    stage.get(&mut browser, "/login/oidc/code").await;
    let mut codes = Vec::new();
    for _ in 0..6 {
        let got = stage
            .post(&mut browser, "/login/oidc/code", &[("code", "000000")])
            .await;
        codes.push(got.status.as_u16());
    }
    assert_eq!(codes, [401, 401, 401, 401, 401, 429]);
}

/// S3: where the provider's second factor counts, it has to say that there was one, when enrolling, too.
#[tokio::test]
async fn s3_the_providers_second_factor_has_to_be_stated() {
    let more = "second_factor = \"provider\"\nacr = [\"gold\", \"2\"]\namr = [\"otp\"]";
    let world = World::with(true, more).await;
    let token = world.add("li");
    let mut browser = Browser::default();
    let why = "provider: no second factor";
    let got = world.try_enrol(&token, "s-1", "li").await;
    world
        .assert_refused(&got, &mut browser, Kind::Enrolled, why)
        .await;
    world
        .peer
        .set(Mood::Well, |said| said.claims["acr"] = json!("gold"));
    let got = world.try_enrol(&token, "s-1", "li").await;
    assert_eq!(got.headers[header::LOCATION], "/login?enrolled=1");
    let claims: [(Lie, bool); 5] = [
        (|said| said.claims["acr"] = json!("2"), true),
        (|said| said.claims["amr"] = json!(["pwd", "otp"]), true),
        (|said| said.claims["acr"] = json!("silver"), false),
        (|said| said.claims["amr"] = json!(["pwd"]), false),
        (|_| (), false),
    ];
    for (lie, is_in) in claims {
        world.peer.set(Mood::Well, lie);
        let mut browser = Browser::default();
        let got = world.try_log_in(&mut browser, "s-1", "li").await;
        if is_in {
            assert!(world.is_in(&mut browser).await);
        } else {
            world
                .assert_refused(&got, &mut browser, Kind::Login, why)
                .await;
        }
    }
}

/// The administrator says how somebody logs in. Another way takes the first one away; nobody changes his own.
#[tokio::test]
async fn the_administrator_chooses_how_somebody_logs_in() {
    let world = World::new("").await;
    let stage = &world.stage;
    let password = people::hash_password(PASSWORD).unwrap();
    for (login, role) in [("chen", Role::Administrator), ("wang", Role::Viewer)] {
        stage.add(login, role, &Regions::All, &password);
    }
    let mut chen = stage.log_in("chen").await;
    let mut wang = stage.log_in("wang").await;
    let page = stage.get(&mut chen, "/people").await;
    assert!(page.text.contains("登录方式"));
    let fields = [
        ("login", "li"),
        ("name", "李"),
        ("role", "viewer"),
        ("way", "provider"),
    ];
    let got = stage.post(&mut chen, "/people/add", &fields).await;
    let token = got
        .text
        .split("<code>")
        .nth(1)
        .unwrap()
        .split('<')
        .next()
        .unwrap()
        .to_owned();
    // It has no password, and gets none.
    let fields = [
        ("token", token.as_str()),
        ("password", PASSWORD),
        ("again", PASSWORD),
    ];
    let mut li = Browser::default();
    stage.get(&mut li, "/enrol").await;
    let got = stage.post(&mut li, "/enrol/finish", &fields).await;
    assert_eq!(got.status, StatusCode::BAD_REQUEST);
    let got = world.try_enrol(&token, "s-1", "li").await;
    assert_eq!(got.status, StatusCode::SEE_OTHER);
    world.try_log_in(&mut li, "s-1", "li").await;
    assert!(world.is_in(&mut li).await);
    // A form that says nothing of it changes nothing of it.
    stage.get(&mut chen, "/people").await;
    let fields = [("login", "li"), ("role", "viewer")];
    stage.post(&mut chen, "/people/change", &fields).await;
    world.try_log_in(&mut li, "s-1", "li").await;
    assert!(world.is_in(&mut li).await);
    for (login, way) in [("li", "password"), ("wang", "provider")] {
        let fields = [("login", login), ("role", "viewer"), ("way", way)];
        let got = stage.post(&mut chen, "/people/change", &fields).await;
        assert_eq!(got.status, StatusCode::SEE_OTHER);
    }
    assert!(!world.is_in(&mut li).await && !world.is_in(&mut wang).await);
    let mut browser = Browser::default();
    let got = world.try_log_in(&mut browser, "s-1", "li").await;
    let why = "provider: bound to no account";
    world
        .assert_refused(&got, &mut browser, Kind::Login, why)
        .await;
    let fields = [
        ("login", "wang"),
        ("password", PASSWORD),
        ("code", ""),
        ("next", ""),
    ];
    let got = stage.post(&mut browser, "/login", &fields).await;
    assert_eq!(got.status, StatusCode::UNAUTHORIZED);
    let notes: Vec<String> = stage
        .trail(Kind::PersonChanged)
        .into_iter()
        .map(|row| row.note)
        .collect();
    assert_eq!(notes[0], "logs in by the provider");
    assert_eq!(notes[2], "logs in by a password");
    let fields = [
        ("login", "chen"),
        ("role", "administrator"),
        ("way", "provider"),
    ];
    let got = stage.post(&mut chen, "/people/change", &fields).await;
    assert_eq!(got.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(world.is_in(&mut chen).await);
}

/// The button is there if there is a provider, in both languages, with the words that were chosen; nobody is sent anywhere
/// else, and the page's policy knows no other origin.
#[tokio::test]
async fn the_button_is_there_where_there_is_a_provider() {
    let world = World::new("button = { zh = \"政务统一登录\" }").await;
    world.with_li().await;
    let mut browser = Browser::default();
    let zh = world.stage.get(&mut browser, "/login").await;
    assert!(zh.text.contains("<button>政务统一登录</button>"));
    browser.cookies.insert("lang".to_owned(), "en".to_owned());
    let en = world.stage.get(&mut browser, "/login").await;
    assert!(
        en.text
            .contains("<button>Log in by the identity provider</button>")
    );
    for (next, goes) in [
        ("//evil.example", "/"),
        ("https://evil.example", "/"),
        ("/help", "/help"),
    ] {
        let mut browser = browser.clone();
        let place = world
            .leave(&mut browser, "/login/oidc", &[("next", next)])
            .await;
        assert!(place.starts_with(world.peer.issuer.strip_suffix("/realms/pension").unwrap()));
        assert!(place.contains("ui_locales=en") && !place.contains("evil"));
        let back = world.peer.agree(&place, "s-1", "li", world.stage.time());
        let got = world.stage.get(&mut browser, &back).await;
        assert_eq!(got.headers[header::LOCATION], goes, "{next}");
        let policy = got.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("form-action 'self';"));
    }
    // Over TLS the cookie is this host's alone.
    let https = Stage::with(ConsoleConfig {
        public_url: Some("https://fund.example.org".to_owned()),
        behind_tls_proxy: true,
        oidc: world.stage.app.config.oidc.clone(),
        ..ConsoleConfig::default()
    });
    let mut browser = Browser::default();
    https.get(&mut browser, "/login").await;
    let got = https.post(&mut browser, "/login/oidc", &[]).await;
    let cookies = got.headers.get_all(header::SET_COOKIE).iter();
    let cookie = cookies
        .map(|cookie| cookie.to_str().unwrap())
        .find(|text| text.contains("attempt"))
        .unwrap();
    let flags = cookie
        .strip_prefix("__Host-attempt=")
        .unwrap()
        .split_once("; ")
        .unwrap()
        .1;
    assert_eq!(flags, "Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=600");
    assert!(
        place_of(&got)
            .contains("redirect_uri=https%3A%2F%2Ffund.example.org%2Flogin%2Foidc%2Fback")
    );

    let without = Stage::new();
    let page = without.get(&mut Browser::default(), "/login").await;
    assert!(!page.text.contains("/login/oidc"));
}

/// G26: each role on each route of the provider's, where there is one: a session changes nothing of them, and without a
/// provider they are not there.
#[tokio::test]
async fn g26_the_providers_routes_are_open_and_let_nobody_in() {
    let world = World::new("").await;
    let without = Stage::new();
    let password = people::hash_password(PASSWORD).unwrap();
    let expected = [
        ("/login/oidc", true, StatusCode::OK),
        ("/login/oidc/back", false, StatusCode::UNAUTHORIZED),
        ("/login/oidc/code", false, StatusCode::UNAUTHORIZED),
        ("/login/oidc/code", true, StatusCode::UNAUTHORIZED),
        ("/enrol/oidc", true, StatusCode::UNPROCESSABLE_ENTITY),
    ];
    let of_table = super::ROUTES
        .iter()
        .filter(|route| route.path.contains("oidc"));
    assert_eq!(of_table.count(), expected.len());
    for stage in [&world.stage, &without] {
        let mut browsers = vec![Browser::default()];
        stage.get(&mut browsers[0], "/login").await;
        for role in Role::ALL {
            stage.add(role.as_str(), role, &Regions::All, &password);
            browsers.push(stage.log_in(role.as_str()).await);
        }
        for browser in browsers {
            for (path, is_post, status) in expected {
                let (had, mut browser) = (browser.cookies.get("session"), browser.clone());
                let got = match is_post {
                    true => stage.post(&mut browser, path, &[]).await,
                    false => stage.get(&mut browser, path).await,
                };
                let has_provider = stage.app.provider.is_some() || path == "/enrol/oidc";
                let status = if has_provider {
                    status
                } else {
                    StatusCode::NOT_FOUND
                };
                assert_eq!(got.status, status, "{path}");
                assert_eq!(browser.cookies.get("session"), had);
            }
        }
        assert_eq!(stage.trail(Kind::Denied).len(), 0);
    }
}
