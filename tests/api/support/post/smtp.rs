//! A mail server of the test's own (RFC 5321), which behaves as the test says.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

use super::received::Received;

/// What becomes of the next mail to someone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// 451: another time.
    Later,
    /// 550: never.
    Never,
    /// Taken, but the line breaks before the answer.
    TakenUnsaid,
    /// Nothing is said until the test [lets go](SmtpServer::let_go).
    Held,
}

/// How lines are encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encryption {
    None,
    StartTls,
    Implicit,
}

/// A mail server.
pub struct SmtpServer {
    pub address: SocketAddr,
    state: Arc<State>,
    accepting: JoinHandle<()>,
}

struct State {
    encryption: Encryption,
    tls: TlsAcceptor,
    certificate: String,
    /// What `AUTH PLAIN` must say.
    password: Option<&'static str>,
    manners: Mutex<Vec<(String, Manner)>>,
    mails: Mutex<Vec<Received>>,
    held: watch::Sender<usize>,
    letting_go: watch::Sender<bool>,
    logins: Mutex<Vec<String>>,
}

impl SmtpServer {
    /// One that takes everything.
    pub async fn start() -> SmtpServer {
        SmtpServer::with(Encryption::None, None).await
    }

    /// One that speaks TLS, under a certificate that nobody else trusts, and may ask for this base64 of `\0user\0password`.
    pub async fn with(encryption: Encryption, password: Option<&'static str>) -> SmtpServer {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = made.signing_key.serialize_der().try_into().unwrap();
        let tls = ServerConfig::builder().with_no_client_auth();
        let tls = tls.with_single_cert(vec![made.cert.der().clone()], key).unwrap();
        let state = State {
            encryption,
            tls: TlsAcceptor::from(Arc::new(tls)),
            certificate: made.cert.pem(),
            password,
            manners: Mutex::default(),
            mails: Mutex::default(),
            held: watch::Sender::new(0),
            letting_go: watch::Sender::new(false),
            logins: Mutex::default(),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(state);
        SmtpServer { address, accepting: tokio::spawn(accept(listener, state.clone())), state }
    }

    /// What `SMTP_URL` is for it, without TLS.
    pub fn url(&self) -> String {
        format!("smtp://{}", self.address)
    }

    /// What signs its certificate: itself.
    pub fn certificate(&self) -> &str {
        &self.state.certificate
    }

    /// Takes no lines any more, as if it were not there.
    pub async fn goes_away(&mut self) {
        self.accepting.abort();
        let _ = (&mut self.accepting).await;
        assert!(TcpStream::connect(self.address).await.is_err());
    }

    pub async fn comes_back(&mut self) {
        let listener = TcpListener::bind(self.address).await.unwrap();
        self.accepting = tokio::spawn(accept(listener, self.state.clone()));
    }

    /// The next mail to this address meets this; of several, one after the other.
    pub fn meets(&self, recipient: &str, manner: Manner) {
        self.state.manners.lock().unwrap().push((recipient.to_owned(), manner));
    }

    /// What has arrived so far.
    pub fn mails(&self) -> Vec<Received> {
        self.state.mails.lock().unwrap().clone()
    }

    /// Who the mails so far were for.
    pub fn recipients(&self) -> Vec<String> {
        self.mails().into_iter().map(|mail| mail.to).collect()
    }

    /// Waits until this many have arrived.
    pub async fn has(&self, count: usize) -> Vec<Received> {
        let deadline = Instant::now() + Duration::from_secs(30);
        while self.mails().len() < count {
            assert!(Instant::now() < deadline, "only {:?} have arrived", self.recipients());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.mails()
    }

    /// Waits until this many are held.
    pub async fn holds(&self, count: usize) {
        let holding = async { self.state.held.subscribe().wait_for(|held| *held >= count).await.map(drop) };
        tokio::time::timeout(Duration::from_secs(30), holding).await.expect("none is held").unwrap();
    }

    pub fn let_go(&self) {
        self.state.letting_go.send_replace(true);
    }

    /// What `AUTH PLAIN` said so far.
    pub fn logins(&self) -> Vec<String> {
        self.state.logins.lock().unwrap().clone()
    }
}

impl State {
    fn manner(&self, recipient: &str) -> Option<Manner> {
        let mut manners = self.manners.lock().unwrap();
        let at = manners.iter().position(|(whose, _)| whose == recipient)?;
        Some(manners.remove(at).1)
    }
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    // With the server, its lines end.
    let mut lines = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let state = state.clone();
        lines.spawn(async move {
            // A line that breaks is for the service to notice.
            let _ = match state.encryption {
                Encryption::Implicit => match state.tls.accept(stream).await {
                    Ok(stream) => converse(stream, &state, true).await.map(drop),
                    Err(_) => Ok(()),
                },
                Encryption::None => converse(stream, &state, true).await.map(drop),
                Encryption::StartTls => match converse(stream, &state, false).await {
                    Ok(Some(stream)) => match state.tls.accept(stream).await {
                        Ok(stream) => converse(stream, &state, true).await.map(drop),
                        Err(_) => Ok(()),
                    },
                    other => other.map(drop),
                },
            };
        });
    }
}

/// Until the client quits, or asks for TLS, and gets the stream back.
async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    state: &State,
    whole: bool,
) -> std::io::Result<Option<S>> {
    let mut stream = BufReader::new(stream);
    if !(whole && state.encryption == Encryption::StartTls) {
        stream.write_all(b"220 localhost ESMTP\r\n").await?;
    }
    let mut manner = None;
    let mut line = String::new();
    loop {
        line.clear();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(None);
        }
        let said = line.trim_end().to_owned();
        let answer = match said.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase().as_str() {
            "EHLO" if !whole => "250-localhost\r\n250 STARTTLS",
            "EHLO" if state.password.is_some() => "250-localhost\r\n250 AUTH PLAIN",
            "EHLO" => "250 localhost",
            "STARTTLS" if !whole => {
                stream.write_all(b"220 go on\r\n").await?;
                return Ok(Some(stream.into_inner()));
            }
            "MAIL" | "RCPT" | "DATA" if !whole => "530 STARTTLS first",
            "AUTH" => {
                let login = said.rsplit(' ').next().unwrap_or_default().to_owned();
                let is_right = Some(login.as_str()) == state.password;
                state.logins.lock().unwrap().push(login);
                if is_right { "235 welcome" } else { "535 5.7.8 who are you?" }
            }
            "RCPT" => {
                let recipient = said.split(['<', '>']).nth(1).unwrap_or_default().to_owned();
                manner = state.manner(&recipient);
                match manner {
                    Some(Manner::Later) => "451 4.7.1 come back later",
                    Some(Manner::Never) => {
                        let refusal = format!("550 5.1.1 <{recipient}>: nobody of that name\r\n");
                        stream.write_all(refusal.as_bytes()).await?;
                        continue;
                    }
                    Some(Manner::Held) => {
                        state.held.send_modify(|held| *held += 1);
                        let _ = state.letting_go.subscribe().wait_for(|go| *go).await;
                        "250 ok"
                    }
                    _ => "250 ok",
                }
            }
            "DATA" => {
                stream.write_all(b"354 go on\r\n").await?;
                let mut mail = Vec::new();
                while !mail.ends_with(b"\r\n.\r\n") {
                    if stream.read_until(b'\n', &mut mail).await? == 0 {
                        return Ok(None);
                    }
                }
                mail.truncate(mail.len() - 3);
                let mail = String::from_utf8(mail).unwrap().replace("\r\n..", "\r\n.");
                state.mails.lock().unwrap().push(Received::parse(mail.as_bytes()));
                if manner == Some(Manner::TakenUnsaid) {
                    return Ok(None);
                }
                "250 taken"
            }
            "QUIT" => "221 bye",
            "MAIL" | "NOOP" | "RSET" => "250 ok",
            _ => "502 what?",
        };
        stream.write_all(format!("{answer}\r\n").as_bytes()).await?;
        if said == "QUIT" {
            return Ok(None);
        }
    }
}
