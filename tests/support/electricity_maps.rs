//! A local service that speaks the JSON of version 3 of Electricity Maps' API.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// How the service answers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Manner {
    /// Every hour asked for, 10 g more in each than in the one before, in a list of this name.
    Hourly(&'static str),
    /// The same without every third hour, and the fourth estimated.
    WithHoles,
    /// No hour.
    Nothing,
    /// This status and no body, and the address `/elsewhere` for who follows redirections.
    Status(u16),
    /// A success with this body.
    Text(&'static str),
    /// Half of an answer.
    CutOff,
    /// Nothing ever.
    Silence,
}

/// The service, and what it was asked.
pub(crate) struct Service {
    pub(crate) url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

/// The token that it takes.
pub(crate) const TOKEN: &str = "a-token";

impl Service {
    /// It listens until the test's process ends.
    pub(crate) fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&asked);
        thread::spawn(move || {
            let mut open = Vec::new();
            for connection in listener.incoming() {
                let mut connection = connection.unwrap();
                let request = request_of(&connection);
                let (path, token) = request;
                noted.lock().unwrap().push(path.clone());
                if matches!(manner, Manner::Silence) {
                    open.push(connection);
                    continue;
                }
                let answer = answer(manner, &path, &token);
                // Whoever asked may have had enough.
                let _ = connection.write_all(answer.as_bytes());
            }
        });
        Self { url, asked }
    }

    /// The paths asked for since the last time.
    pub(crate) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

/// The path, and the token in the header.
fn request_of(connection: &TcpStream) -> (String, String) {
    let mut lines = BufReader::new(connection.try_clone().unwrap()).lines();
    let request = lines.next().unwrap().unwrap();
    let headers: Vec<String> =
        lines.map(Result::unwrap).take_while(|line| !line.is_empty()).collect();
    let token = headers.iter().find_map(|line| line.strip_prefix("auth-token: "));
    let path = request.split(' ').nth(1).unwrap().to_owned();
    (path, token.unwrap_or_default().to_owned())
}

fn answer(manner: Manner, path: &str, token: &str) -> String {
    let success = |body: &str| {
        format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )
    };
    let refusal = |status: u16| {
        format!(
            "HTTP/1.1 {status} Oh\r\nLocation: /elsewhere\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        )
    };
    if token != TOKEN {
        return refusal(401);
    }
    match manner {
        Manner::Hourly(list) => success(&hours(path, list, false)),
        Manner::WithHoles => success(&hours(path, "data", true)),
        Manner::Nothing => success(r#"{"zone":"FR","data":[]}"#),
        Manner::Status(status) => refusal(status),
        Manner::Text(body) => success(body),
        Manner::CutOff => {
            let whole = success(&hours(path, "data", false));
            whole[..whole.len() - 20].to_owned()
        }
        Manner::Silence => String::new(),
    }
}

fn hours(path: &str, list: &str, holes: bool) -> String {
    let (first, last) = (hour_of(path, "start="), hour_of(path, "end="));
    let hour = |at: u64| {
        let number = at - first;
        let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(at * 3_600);
        let time = humantime::format_rfc3339_millis(time);
        let estimated = holes && number == 3;
        format!(
            r#"{{"zone":"FR","carbonIntensity":{},"datetime":"{time}","updatedAt":"{time}","emissionFactorType":"lifecycle","isEstimated":{estimated},"temporalGranularity":"hourly"}}"#,
            100 + 10 * number
        )
    };
    let hours: Vec<String> =
        (first..last).filter(|at| !holes || (at - first) % 3 != 1).map(hour).collect();
    format!(r#"{{"zone":"FR","temporalGranularity":"hourly","{list}":[{}]}}"#, hours.join(","))
}

/// The hour since the epoch that a query names.
fn hour_of(path: &str, name: &str) -> u64 {
    let value = path.split(['?', '&']).find_map(|part| part.strip_prefix(name)).unwrap();
    let value = value.replace("%3A", ":");
    let time = humantime::parse_rfc3339(&value).unwrap();
    time.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() / 3_600
}
