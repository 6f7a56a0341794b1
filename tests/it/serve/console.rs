//! The console as a browser without script sees it: every page of every role, forms and their tokens, hostile texts.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::client::{Answer, send};
use super::server::{Server, citizen, key, rows, token};

/// A server with the registers of the sample, for the bench.
fn started() -> Server {
    Server::start(concat!("sources: ", env!("CARGO_MANIFEST_DIR"), "/data-samples/sources.yaml\n"))
}

/// A browser: keeps cookies and follows redirects.
struct Browser {
    address: SocketAddr,
    cookies: Mutex<BTreeMap<String, String>>,
}

impl Browser {
    fn new(address: SocketAddr) -> Self {
        Self { address, cookies: Mutex::default() }
    }

    fn once(&self, method: &str, path: &str, more: &[(&str, &str)], body: &str) -> Answer {
        let cookies: Vec<String> = self.cookies.lock().expect("cookies").iter().map(|(name, value)| format!("{name}={value}")).collect();
        let cookies = cookies.join("; ");
        let mut headers = vec![("Accept-Language", "en")];
        if !cookies.is_empty() {
            headers.push(("Cookie", &cookies));
        }
        if method == "POST" {
            headers.push(("Content-Type", "application/x-www-form-urlencoded"));
        }
        headers.extend_from_slice(more);
        let answer = send(self.address, method, path, &headers, body.as_bytes());
        for (_, set) in answer.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie")) {
            let (name, value) = set.split(';').next().and_then(|pair| pair.split_once('=')).expect("a cookie");
            let mut cookies = self.cookies.lock().expect("cookies");
            if value.is_empty() {
                cookies.remove(name)
            } else {
                cookies.insert(name.to_owned(), value.to_owned())
            };
        }
        answer
    }

    fn get(&self, path: &str) -> Answer {
        let mut answer = self.once("GET", path, &[], "");
        for _ in 0..5 {
            let Some(next) = answer.header("location").map(str::to_owned).filter(|_| (300..400).contains(&answer.status)) else { break };
            answer = self.once("GET", &next, &[], "");
        }
        answer
    }

    fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.once("POST", path, &[], &encoded(fields))
    }

    /// Posts with the token of the page at `page`.
    fn submit(&self, page: &str, path: &str, fields: &[(&str, &str)]) -> Answer {
        let token = field(self.get(page).text(), "token");
        self.post(path, &[&[("token", token.as_str())], fields].concat())
    }

    #[track_caller]
    fn sign_in(address: SocketAddr, secret: &str) -> Self {
        let browser = Self::new(address);
        let answer = browser.submit("/console/en/sign-in", "/console/en/sign-in", &[("key", secret)]);
        assert_eq!(answer.status, 303, "{}", answer.text());
        browser
    }
}

fn encoded(fields: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

/// The value of the first hidden field with a name.
fn field(page: &str, name: &str) -> String {
    let (_, rest) = page.split_once(&format!("name=\"{name}\" value=\"")).unwrap_or_else(|| panic!("no field {name}: {page}"));
    rest.split('"').next().expect("a value").to_owned()
}

/// Tags of a page in order: name, attributes, whether it closes.
fn tags(page: &str) -> Vec<(String, String, bool)> {
    let mut found = Vec::new();
    let mut rest = page;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        let Some(end) = rest.find('>') else { panic!("a tag without an end: {}", &rest[..rest.len().min(80)]) };
        let inside = &rest[..end];
        rest = &rest[end + 1..];
        if inside.starts_with('!') {
            continue;
        }
        let closes = inside.starts_with('/');
        let inside = inside.trim_start_matches('/').trim_end_matches('/');
        let (name, attributes) = inside.split_once(char::is_whitespace).unwrap_or((inside, ""));
        found.push((name.to_ascii_lowercase(), attributes.to_owned(), closes));
    }
    found
}

fn attribute<'a>(attributes: &'a str, name: &str) -> Option<&'a str> {
    let start = if attributes.starts_with(&format!("{name}=\"")) { 0 } else { attributes.find(&format!(" {name}=\""))? + 1 };
    attributes[start + name.len() + 2..].split('"').next()
}

const VOID: [&str; 8] = ["meta", "link", "input", "br", "hr", "img", "wbr", "col"];

/// What every page must be: well formed, nothing from elsewhere, usable without a mouse and by ear.
#[track_caller]
fn sound(path: &str, answer: &Answer) {
    let page = answer.text();
    assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"), "{path}");
    let policy = answer.header("content-security-policy").expect("a policy");
    assert!(policy.starts_with("default-src 'self'") && !policy.contains("unsafe"), "{path}: {policy}");
    assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
    assert_eq!(answer.header("x-frame-options"), Some("DENY"), "{path}");
    let (mut open, mut ids, mut labels, mut links) = (Vec::<String>::new(), BTreeSet::new(), BTreeSet::new(), Vec::new());
    let (mut fields, mut headings, mut landmarks) = (Vec::new(), 0, BTreeSet::new());
    for (name, attributes, closes) in tags(page) {
        if closes {
            assert_eq!(open.pop().as_deref(), Some(name.as_str()), "{path}: </{name}>");
            continue;
        }
        assert!(name != "style" && attribute(&attributes, "style").is_none(), "{path}: a style in the page: {attributes}");
        assert!(name != "script" || attribute(&attributes, "src").is_some(), "{path}: a script in the page");
        assert!(!attributes.split(' ').any(|part| part.starts_with("on") && part.contains('=')), "{path}: {attributes}");
        for loading in ["src", "href", "action", "formaction"] {
            if let Some(target) = attribute(&attributes, loading) {
                assert!(!target.contains("//") && !target.starts_with("javascript"), "{path}: {target}");
            }
        }
        if let Some(id) = attribute(&attributes, "id") {
            assert!(ids.insert(id.to_owned()), "{path}: id {id} twice");
        }
        match name.as_str() {
            "label" => {
                labels.extend(attribute(&attributes, "for").map(str::to_owned));
            }
            "input" | "select" | "textarea" if attribute(&attributes, "type") != Some("hidden") => {
                fields.push(attribute(&attributes, "id").unwrap_or_default().to_owned());
            }
            "a" => links.extend(attribute(&attributes, "href").and_then(|href| href.strip_prefix('#')).map(str::to_owned)),
            "h1" => headings += 1,
            "main" | "header" | "footer" | "nav" => {
                landmarks.insert(name.clone());
            }
            "html" => assert!(matches!(attribute(&attributes, "lang"), Some("zh-CN" | "en")), "{path}"),
            // Pages that stand as Markdown have no place to say it.
            "th" if !path.contains(".html") => assert!(attributes.contains("scope="), "{path}: a heading of a table without scope"),
            _ => {}
        }
        if !VOID.contains(&name.as_str()) {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "{path}: {open:?} left open");
    assert!(page.contains("<title>") && landmarks.contains("main") && landmarks.contains("header"), "{path}");
    assert!(headings >= 1, "{path}: no heading");
    for field in fields {
        assert!(labels.contains(&field), "{path}: field {field:?} without a label");
    }
    for link in links {
        assert!(ids.contains(&link), "{path}: #{link} leads nowhere");
    }
}

/// The addresses of the console that a page leads to.
fn leads_to(path: &str, page: &str) -> BTreeSet<String> {
    let base = url::Url::parse(&format!("http://console.example{path}")).expect("an address");
    let links = tags(page).into_iter().filter(|(name, _, closes)| name == "a" && !closes);
    let targets = links.filter_map(|(_, attributes, _)| {
        let href = attribute(&attributes, "href")?.replace("&amp;", "&");
        let target = base.join(&href).expect("an address");
        let query = target.query().map_or_else(String::new, |query| format!("?{query}"));
        Some(format!("{}{query}", target.path()))
    });
    targets.collect()
}

/// Every page that can be reached by links, once.
fn crawl(browser: &Browser, from: &str) -> BTreeMap<String, Answer> {
    let mut open = vec![from.to_owned()];
    let mut seen = BTreeMap::new();
    while let Some(path) = open.pop() {
        if seen.contains_key(&path) {
            continue;
        }
        let answer = browser.once("GET", &path, &[], "");
        if answer.status == 200 {
            open.extend(leads_to(&path, answer.text()));
        }
        seen.insert(path, answer);
    }
    seen
}

#[test]
fn every_page_of_every_role_is_sound() {
    let server = started();
    let address = server.address;
    for (role, least, wanted, unwanted) in [
        (
            "admin",
            200,
            &["/console/zh/trail", "/console/en/bench/990100-MZ-0007", "/console/zh/subjects", "/console/en/runs/1"][..],
            &[][..],
        ),
        ("auditor", 150, &["/console/zh/trail", "/console/en/subjects"], &["/console/zh/bench"]),
        ("author", 150, &["/console/zh/bench/990100-MZ-0007", "/console/zh/policies"], &["/console/zh/subjects", "/console/zh/trail"]),
        ("clerk", 50, &["/console/zh/policies", "/console/zh/subjects"], &["/console/zh/bench", "/console/zh/trail"]),
    ] {
        let browser = Browser::sign_in(address, &key(role));
        let pages = crawl(&browser, "/console/zh/");
        for (path, answer) in &pages {
            assert_eq!(answer.status, 200, "{role} {path}");
            sound(path, answer);
        }
        assert!(pages.len() > least, "{role}: {} pages", pages.len());
        for path in wanted {
            assert!(pages.contains_key(*path), "{role} has no way to {path}");
        }
        for path in unwanted {
            assert!(!pages.contains_key(*path), "{role} is led to {path}");
            let refused = browser.get(path);
            assert_eq!(refused.status, 403, "{role} {path}");
            sound(path, &refused);
        }
    }
}

#[test]
fn nobody_sees_anything_without_signing_in() {
    let server = started();
    let browser = Browser::new(server.address);
    for path in [
        "/",
        "/console",
        "/console/",
        "/console/en/",
        "/console/en/policies",
        "/console/zh/trail",
        "/console/en/runs/1",
        "/console/en/facts.html",
    ] {
        let answer = browser.get(path);
        assert_eq!(answer.status, 200, "{path}");
        assert!(answer.text().contains("type=\"password\""), "{path}");
        sound(path, &answer);
    }
    assert_eq!(browser.post("/console/en/subjects", &[("id", "990102")]).status, 303);
    assert_eq!(browser.once("POST", "/console/en/bench/990100-MZ-0007", &[("X-Part", "answer")], "policy=1").status, 401);
    assert_eq!(browser.get("/console/xx/policies").status, 404);
    let wrong = browser.submit("/console/en/sign-in", "/console/en/sign-in", &[("key", "ms_wrong")]);
    assert_eq!(wrong.status, 401);
    assert!(wrong.text().contains("not valid"));
    let forged = browser.post("/console/en/sign-in", &[("token", "made up"), ("key", &key("admin"))]);
    assert_eq!(forged.status, 403);
}

#[test]
fn assets_are_kept_and_nothing_else_is_there() {
    let server = started();
    let browser = Browser::new(server.address);
    let page = browser.get("/console/en/sign-in");
    let style = tags(page.text()).into_iter().find(|(name, ..)| name == "link").expect("a style sheet").1;
    let style = attribute(&style, "href").expect("an address").to_owned();
    let answer = browser.once("GET", &style, &[], "");
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/css; charset=utf-8")));
    assert!(answer.header("cache-control").expect("kept").contains("immutable"));
    for path in ["/console/static/none.css", "/console/static/..%2f..%2fCargo.toml", "/console/static/", "/console/en/../../etc/passwd"] {
        assert!(browser.once("GET", path, &[], "").status >= 300, "{path}");
    }
}

#[test]
fn sessions_are_strict_and_forms_carry_their_token() {
    let server = started();
    let address = server.address;
    let browser = Browser::new(address);
    let token = field(browser.get("/console/en/sign-in").text(), "token");
    let answer = browser.post("/console/en/sign-in", &[("token", &token), ("key", &key("admin"))]);
    let set: Vec<&str> = answer.headers.iter().filter(|(name, _)| name == "set-cookie").map(|(_, value)| value.as_str()).collect();
    assert!(
        set.iter().all(|cookie| cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict") && cookie.contains("Path=/console")),
        "{set:?}"
    );
    assert!(!set.iter().any(|cookie| cookie.contains(&key("admin"))), "the key is in no cookie");
    let other = Browser::sign_in(address, &key("admin"));
    let foreign = field(other.get("/console/en/subjects").text(), "token");
    let forms: [(&str, &[(&str, &str)]); 5] = [
        ("/console/en/subjects", &[("id", "1"), ("purpose", "casework")]),
        ("/console/en/trail", &[("id", "1")]),
        ("/console/en/bench/990100-MZ-0007", &[("policy", "x")]),
        ("/console/en/bench/990100-MZ-0007/draft", &[("policy", "x")]),
        ("/console/en/sign-out", &[]),
    ];
    for (path, fields) in forms {
        assert_eq!(browser.post(path, fields).status, 403, "{path} without a token");
        let with_foreign = [&[("token", foreign.as_str())], fields].concat();
        assert_eq!(browser.post(path, &with_foreign).status, 403, "{path} with the token of another session");
    }
    let out = browser.submit("/console/en/", "/console/en/sign-out", &[]);
    assert_eq!(out.status, 303);
    assert!(browser.get("/console/en/").text().contains("type=\"password\""));
}

#[test]
fn a_key_that_is_taken_away_ends_its_sessions() {
    let server = Server::start("");
    let browser = Browser::sign_in(server.address, &key("auditor"));
    assert!(browser.get("/console/en/runs").text().contains("Sign out"));
    let path = server.folder.path().join("serve.yaml");
    let text = std::fs::read_to_string(&path).expect("settings");
    let without: String = text.lines().filter(|line| !line.contains("id: auditor")).map(|line| format!("{line}\n")).collect();
    std::fs::write(&path, without).expect("written");
    server.signal("HUP");
    let until = Instant::now() + Duration::from_mins(1);
    while browser.get("/console/en/runs").text().contains("Sign out") {
        assert!(Instant::now() < until, "the session lives on: {}", server.log());
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Somebody of the sample with a grant, counted in a county.
fn person_in(county: &str) -> String {
    let grants = rows("grants");
    let found =
        grants.iter().find(|row| row["subject_kind"] == "person" && row["county"] == county && row["policy"].starts_with("990100-MZ"));
    found.unwrap_or_else(|| panic!("nobody in {county}"))["subject_id"].clone()
}

#[test]
fn a_subject_is_found_by_a_posted_form_and_leaves_a_trace() {
    let server = Server::start("");
    let browser = Browser::sign_in(server.address, &key("clerk"));
    let id = person_in("990101");
    let page = browser.submit("/console/en/subjects", "/console/en/subjects", &[("id", &id), ("purpose", "casework")]);
    assert_eq!(page.status, 200, "{}", page.text());
    sound("subjects", &page);
    assert!(page.text().contains("Old-age allowance") && page.text().contains("Dossier"), "{}", page.text());
    assert!(!page.text().contains(&id), "the identifier is masked");
    // Somebody of another county, and nobody: the same answer.
    let elsewhere =
        browser.submit("/console/en/subjects", "/console/en/subjects", &[("id", &person_in("990102")), ("purpose", "casework")]);
    let nobody = browser.submit("/console/en/subjects", "/console/en/subjects", &[("id", "11010519491231002X"), ("purpose", "casework")]);
    assert_eq!((elsewhere.status, nobody.status), (404, 404));
    assert_eq!(elsewhere.text().replace(&field(elsewhere.text(), "token"), ""), nobody.text().replace(&field(nobody.text(), "token"), ""));
    // A purpose that is not the caller's.
    let other = browser.submit("/console/en/subjects", "/console/en/subjects", &[("id", &id), ("purpose", "audit")]);
    assert_eq!(other.status, 403);
    // Purposes without facts show none, and no reasons.
    let platform = Browser::sign_in(server.address, &key("platform"));
    let bare = platform.submit("/console/en/subjects", "/console/en/subjects", &[("id", &id), ("purpose", "find_services")]);
    assert_eq!(bare.status, 200);
    assert!(bare.text().contains("reasons are not shown") && !bare.text().contains("birth_date"), "{}", bare.text());
    // Who looked.
    let auditor = Browser::sign_in(server.address, &key("auditor"));
    let looked = auditor.submit("/console/en/trail", "/console/en/trail", &[("id", &id)]);
    assert!(
        looked.text().contains("李丽") && looked.text().contains("casework") && looked.text().contains("read the dossier"),
        "{}",
        looked.text()
    );
    assert!(!looked.text().contains(&id));
    assert!(auditor.get("/console/en/trail").text().contains("was refused"));
    assert!(!server.log().contains(&id), "no identifier in the log");
}

#[test]
fn who_watches_over_a_county_sees_the_trail_of_those_counted_there() {
    let server = Server::start("");
    let (inside, outside) = (person_in("990101"), person_in("990102"));
    for id in [&inside, &outside] {
        assert_eq!(server.get("admin", &format!("/v1/subjects/person/{id}/services")).status, 200);
    }
    let masked = |id: &str| format!("{}**********{}", &id[..4], &id[14..]);
    let newest = |who: &str| Browser::sign_in(server.address, &key(who)).get("/console/en/trail").text().to_owned();
    let (county, city) = (newest("watch"), newest("auditor"));
    assert!(county.contains(&masked(&inside)) && !county.contains(&masked(&outside)), "{county}");
    assert!(city.contains(&masked(&inside)) && city.contains(&masked(&outside)), "{city}");
    let watch = Browser::sign_in(server.address, &key("watch"));
    let about = |id: &str| watch.submit("/console/en/trail", "/console/en/trail", &[("id", id)]);
    assert!(about(&inside).text().contains("read services"), "{}", about(&inside).text());
    // Somebody counted elsewhere, and nobody: the same answer.
    let (elsewhere, nobody) = (about(&outside), about("11010519491231002X"));
    assert_eq!((elsewhere.status, nobody.status), (404, 404));
    assert_eq!(elsewhere.text().replace(&field(elsewhere.text(), "token"), ""), nobody.text().replace(&field(nobody.text(), "token"), ""));
    // That the trail was looked at is told to the subject, too, and so is the try.
    for (id, action) in [(&inside, "read_trail"), (&outside, "refused")] {
        let looks = server.get_as(&token(&citizen(id)), "/v1/subjects/person/me/looks", &[("Purpose", "self")]);
        let told =
            looks.json()["items"].as_array().expect("looks").iter().any(|look| look["action"] == action && look["purpose"] == "audit");
        assert!(told, "{action}: {}", looks.text());
    }
}

#[test]
fn a_citizen_sees_himself_and_who_looked() {
    let server = started();
    let id = person_in("990101");
    let browser = Browser::sign_in(server.address, &token(&citizen(&id)));
    let front = browser.get("/console/en/");
    assert!(front.text().contains("Subjects") && !front.text().contains("/console/en/policies\""), "{}", front.text());
    let own = browser.submit("/console/en/subjects", "/console/en/subjects", &[("id", &id), ("purpose", "self")]);
    assert_eq!(own.status, 200, "{}", own.text());
    assert!(own.text().contains(&id) && own.text().contains("Who looked"), "unmasked for himself");
    let other = browser.submit("/console/en/subjects", "/console/en/subjects", &[("id", &person_in("990102")), ("purpose", "self")]);
    assert_eq!(other.status, 404);
    assert_eq!(browser.get("/console/en/policies").status, 403);
    assert_eq!(browser.get("/console/en/trail").status, 403);
}

#[test]
fn cases_are_worked_on_by_forms() {
    let server = super::cases::with_cases();
    let grant = super::cases::grant_in("990101");
    let (id, place) = (&grant["grant_id"], format!("/console/en/cases/{}", grant["grant_id"]));
    let browser = Browser::sign_in(server.address, &key("clerk"));
    let queue = browser.get("/console/en/cases");
    sound("cases", &queue);
    assert!(queue.text().contains("/console/en/cases/"), "{}", queue.text());
    let page = browser.get(&place);
    sound(&place, &page);
    assert!(page.text().contains("found") && !page.text().contains(&grant["subject_id"]), "{}", page.text());
    // A form without the token of its session does nothing; one of an older version neither.
    assert_eq!(browser.post(&place, &[("step", "publish"), ("version", "1")]).status, 403);
    assert_eq!(browser.submit(&place, &place, &[("step", "publish"), ("version", "9")]).status, 412);
    let done = browser.submit(&place, &place, &[("step", "publish"), ("version", "1"), ("note", "<b>公示</b>")]);
    assert_eq!(done.status, 303, "{}", done.text());
    let page = browser.get(&place);
    sound(&place, &page);
    assert!(page.text().contains("published") && page.text().contains("李丽") && page.text().contains("&lt;b&gt;"), "{}", page.text());
    let illegal = browser.submit(&place, &place, &[("step", "pay"), ("version", "2"), ("amount", "100.00")]);
    assert_eq!(illegal.status, 409);
    assert!(illegal.text().contains("the notice is over on"), "{}", illegal.text());
    assert!(browser.get("/console/zh/lists").text().contains(&id[..12]));
    let subject = browser.submit("/console/en/subjects", "/console/en/subjects", &[("id", &grant["subject_id"]), ("purpose", "casework")]);
    assert!(subject.text().contains(&place), "cases on the subject's page: {}", subject.text());
    let citizen = Browser::sign_in(server.address, &token(&citizen(&grant["subject_id"])));
    let own = citizen.get(&place);
    assert!(own.text().contains(&grant["subject_id"]) && own.text().contains("object"), "{}", own.text());
    let auditor = Browser::sign_in(server.address, &key("auditor"));
    assert!(auditor.get(&place).text().contains("There is no step that is yours"));
}

const OLD_AGE: &str = "/console/en/bench/990100-MZ-0007";

/// The bench, once its dossiers are ready; the policy's text in the editor.
fn ready(server: &Server, browser: &Browser) -> String {
    let until = Instant::now() + Duration::from_mins(4);
    loop {
        let page = browser.get(OLD_AGE);
        assert_eq!(page.status, 200);
        if page.text().contains("data-state=") {
            sound(OLD_AGE, &page);
            return page.text().to_owned();
        }
        assert!(page.text().contains("http-equiv=\"refresh\""), "{}", page.text());
        assert!(Instant::now() < until, "the dossiers are not ready: {}", server.log());
        std::thread::sleep(Duration::from_millis(300));
    }
}

fn policy_text() -> String {
    std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/policies/990100/old-age-allowance/policy.yaml")).expect("the policy")
}

#[test]
fn the_bench_tries_edits_and_tells_mistakes_at_the_character() {
    let server = started();
    let browser = Browser::sign_in(server.address, &key("admin"));
    let page = ready(&server, &browser);
    assert!(page.contains("tried on") && page.contains("年满80周岁当月起"), "the policy in force stands in the editor");
    let edited = policy_text().replace(">= 80", ">= 75");
    let answer = browser.submit(OLD_AGE, OLD_AGE, &[("policy", &edited), ("set", "old_age_allowance_90=+10%\r\n")]);
    assert_eq!(answer.status, 200);
    sound(OLD_AGE, &answer);
    let text = answer.text();
    assert!(text.contains("class=\"gain\">+") && text.contains("Criterion by criterion") && text.contains("By county"), "{text}");
    assert!(text.contains("&gt;= 75"), "what was sent stands in the editor");
    // By script only the part is asked for.
    let token = field(text, "token");
    let part = browser.once("POST", OLD_AGE, &[("X-Part", "answer")], &encoded(&[("token", &token), ("policy", &edited)]));
    assert!(part.text().starts_with("<h2") && !part.text().contains("<html"), "{}", part.text());
    // Who may not look at single people is not told of few.
    let author = Browser::sign_in(server.address, &key("author"));
    let answer = author.submit(OLD_AGE, OLD_AGE, &[("policy", &edited)]);
    sound(OLD_AGE, &answer);
    assert!(answer.text().contains('∗') && !text.contains('∗'), "{}", answer.text());
    let wrong = policy_text().replace("not deceased or", "not deceasd or");
    let answer = browser.submit(OLD_AGE, OLD_AGE, &[("policy", &wrong)]);
    sound(OLD_AGE, &answer);
    assert!(answer.text().contains("<mark>deceasd</mark>") && answer.text().contains("did you mean"), "{}", answer.text());
    assert!(!answer.text().contains("By county"));
}

#[test]
fn the_draft_is_what_was_written() {
    let server = started();
    let browser = Browser::sign_in(server.address, &key("author"));
    let edited = policy_text().replace(">= 80", ">= 75");
    let sent = edited.replace('\n', "\r\n");
    let draft = browser.submit(OLD_AGE, &format!("{OLD_AGE}/draft"), &[("policy", &sent)]);
    assert_eq!(draft.status, 200);
    assert_eq!(draft.text(), edited);
    assert_eq!(draft.header("content-disposition"), Some("attachment; filename=\"990100-MZ-0007-draft.yaml\""));
}

#[test]
fn hostile_texts_stay_texts() {
    let server = started();
    let browser = Browser::sign_in(server.address, &key("admin"));
    ready(&server, &browser);
    let hostile = "</textarea><script>alert(1)</script><img src=x onerror=alert(1)>'\"&";
    let policy = policy_text().replace("高龄津贴, en", &format!("'{}', en", hostile.replace('\'', "''")));
    for (path, fields) in [
        (OLD_AGE, vec![("policy", policy.as_str()), ("set", hostile)]),
        (OLD_AGE, vec![("policy", hostile), ("set", "")]),
        ("/console/en/subjects", vec![("id", hostile), ("purpose", "casework")]),
        ("/console/en/subjects", vec![("id", "1"), ("purpose", hostile)]),
        ("/console/en/trail", vec![("id", hostile)]),
    ] {
        let page = if path == OLD_AGE { OLD_AGE } else { path };
        let answer = browser.submit(page, path, &fields);
        assert!(answer.status < 500, "{path}: {}", answer.status);
        sound(path, &answer);
        assert!(!answer.text().contains("<img") && !answer.text().contains("<script>alert"), "{path}");
    }
    for path in [
        "/console/en/policies/%3Cscript%3E",
        "/console/en/bench/%3Cimg%20src=x%3E",
        "/console/en/runs/%22%3E",
        "/console/en/%3Cb%3E.html",
        "/console/en/runs/99999999999999999999",
    ] {
        let answer = browser.get(path);
        assert_eq!(answer.status, 404, "{path}");
        sound(path, &answer);
    }
    assert_eq!(browser.get("/console/en/trail?before=x").status, 400);
    assert_eq!(browser.get("/console/en/trail?before=0").status, 200);
}
