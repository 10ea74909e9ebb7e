//! Builds an image by the engine's own builder: what Compose calls the classic one, which every engine has.
//!
//! What only BuildKit can do (secrets and SSH during a build, more contexts, caches elsewhere, several platforms) needs
//! a session with the engine that is not spoken here; files that ask for it are refused when they are read.

mod context;
mod ignore;

use std::{collections::HashMap, io, time::Duration};

use bollard::{
    body_try_stream,
    errors::Error,
    models::BuildInfo,
    query_parameters::{BuildImageOptions, BuildImageOptionsBuilder, TagImageOptionsBuilder},
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use plan::Output;
use stack::Build;
use tokio::{sync::mpsc, task::JoinHandle};

use self::context::{Context, Pieces};
use super::{Docker, container::Resolver, credentials, fail::fail, image::saying, meanwhile::Listener};
use crate::{Contents, EngineError, Trouble};

/// How long the engine may take to say its first word: it says nothing while it is given the context.
const FIRST_WORD: Duration = Duration::from_secs(3600);

/// How much of what a failed build printed is told.
const TOLD: usize = 20;

impl Docker {
    pub(super) async fn build_image(
        &self,
        image: &str,
        build: &Build,
        contents: &dyn Contents,
    ) -> Result<Output, EngineError> {
        let doing = format!("build image `{image}`");
        let before = self.image_id(image).await?;
        let mut resolver = Resolver::new(contents, &doing, self.api());
        let arguments = arguments(build, &mut resolver)?;
        let credentials = self.registries.all().await;
        let credentials =
            credentials.map_err(|error| EngineError::new(Trouble::Denied, doing.as_str()).because(error))?;
        let credential = (!credentials.is_empty())
            .then(|| ("X-Registry-Config", credentials::header_of_all(&credentials)));
        let client = self.client.clone().with_timeout(FIRST_WORD);
        let client = saying(client, credential, &more_hosts(&build.extra_hosts));
        let context = if is_remote(&build.context) { None } else { Some(open(build, &doing)?) };
        let dockerfile = context.as_ref().map(|context| context.dockerfile.clone());
        let options = options(image, build, dockerfile, &arguments, &resolver)?;
        let sent = context.map(send);
        let (body, sending) = sent.map_or((None, None), |(pieces, sending)| (Some(pieces), Some(sending)));
        let built =
            listen(client.build_image(options, None, body.map(body_try_stream)), &self.listener).await;
        let sending = match sending {
            Some(sending) => sending.await.unwrap_or(Ok(())),
            None => Ok(()),
        };
        match (built, sending) {
            (Ok(()), _) => {}
            // What went wrong here comes first: the engine only saw a request that broke off.
            (Err(_), Err(error)) if error.kind() != io::ErrorKind::BrokenPipe => {
                return Err(EngineError::new(Trouble::NotFound, doing).because(error));
            }
            (Err(failed), _) => return Err(failed.explained(&resolver)),
        }
        for name in &build.tags {
            self.tag(image, name).await?;
        }
        let missing =
            || EngineError::new(Trouble::NotFound, format!("find image `{image}` after it was built"));
        let id = self.image_id(image).await?.ok_or_else(missing)?;
        Ok(if before.as_ref() == Some(&id) { Output::Unchanged } else { Output::Image { id } })
    }

    async fn tag(&self, image: &str, name: &str) -> Result<(), EngineError> {
        let (repository, tag) = match name.rsplit_once(':') {
            Some((repository, tag)) if !tag.contains('/') => (repository, tag),
            _ => (name, "latest"),
        };
        let options = TagImageOptionsBuilder::default().repo(repository).tag(tag).build();
        let doing = format!("name image `{image}` `{name}` as well");
        self.client.tag_image(image, Some(options)).await.map_err(fail(doing))
    }
}

/// The engine fetches it: a repository, or an archive.
fn is_remote(context: &str) -> bool {
    ["http://", "https://", "git://", "git@", "ssh://", "github.com/"]
        .iter()
        .any(|way| context.starts_with(way))
}

fn open(build: &Build, doing: &str) -> Result<Context, EngineError> {
    Context::open(build).map_err(|(path, err)| {
        EngineError::new(Trouble::NotFound, doing)
            .because(err)
            .hint(format!("it is looked for at `{}`", path.display()))
    })
}

/// What the engine's builder is asked for.
fn options(
    image: &str,
    build: &Build,
    dockerfile: Option<String>,
    arguments: &HashMap<String, String>,
    resolver: &Resolver<'_>,
) -> Result<BuildImageOptions, EngineError> {
    let shm = build.shm_bytes.map(i32::try_from).transpose();
    let shm = shm.map_err(|_| resolver.unsupported("`shm_size` of a build is above 2 GiB"))?;
    let remote = dockerfile.is_none().then(|| build.context.clone());
    let named = dockerfile.or_else(|| build.dockerfile.clone());
    Ok(BuildImageOptions {
        t: Some(image.to_owned()),
        dockerfile: named.unwrap_or_else(|| "Dockerfile".to_owned()),
        remote,
        rm: true,
        // A build that fails leaves no container behind, either.
        forcerm: true,
        nocache: build.no_cache,
        pull: build.pull.then(|| "1".to_owned()),
        buildargs: Some(arguments.clone()),
        labels: Some(labels(build)),
        target: build.target.clone().unwrap_or_default(),
        platform: build.platform.clone().unwrap_or_default(),
        networkmode: build.network.clone(),
        cachefrom: Some(build.cache_from.clone()).filter(|images| !images.is_empty()),
        shmsize: shm,
        ..BuildImageOptionsBuilder::default().build()
    })
}

/// Build arguments. One without a value is the engine's own to fill in, as of its proxies.
fn arguments(build: &Build, resolver: &mut Resolver<'_>) -> Result<HashMap<String, String>, EngineError> {
    let given = build.args.iter().filter_map(|(key, value)| Some((key, value.as_ref()?)));
    given.map(|(key, value)| Ok((key.clone(), resolver.text(value)?))).collect()
}

fn labels(build: &Build) -> HashMap<String, String> {
    let mut labels = super::effects::map(&build.labels);
    labels.insert("com.docker.compose.image.builder".to_owned(), "classic".to_owned());
    labels
}

/// Hosts that the build knows besides: the query takes each by itself, and the client's options only one.
fn more_hosts(hosts: &[String]) -> String {
    let host = |host: &String| format!("&extrahosts={}", escape(&host.replacen('=', ":", 1)));
    hosts.iter().map(host).collect()
}

/// As a query takes it.
fn escape(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

/// Writes the context in the background, piece by piece as the engine takes it.
fn send(
    context: Context,
) -> (impl Stream<Item = io::Result<Bytes>> + Send + 'static, JoinHandle<io::Result<()>>) {
    let (pieces, receiver) = mpsc::channel(16);
    let sending = tokio::task::spawn_blocking(move || {
        let buffered = io::BufWriter::with_capacity(64 * 1024, Pieces(pieces.clone()));
        let written = context.write(buffered);
        if let Err(error) = &written {
            // Where nobody listens any more, nobody has to be told.
            drop(pieces.blocking_send(Err(io::Error::new(error.kind(), error.to_string()))));
        }
        written
    });
    let next = async |mut receiver: mpsc::Receiver<_>| Some((receiver.recv().await?, receiver));
    (stream::unfold(receiver, next), sending)
}

/// A build that failed, and what it printed at the end.
struct Failed {
    printed: Vec<String>,
    error: Error,
}

/// Listens until the build is over.
async fn listen(
    mut said: impl Stream<Item = Result<BuildInfo, Error>> + Unpin,
    listener: &Listener,
) -> Result<(), Failed> {
    let mut printed = Vec::new();
    while let Some(said) = said.next().await {
        match said {
            Ok(said) => {
                // What went to stderr is coloured by the engine.
                let text = said.stream.unwrap_or_default().replace("\u{1b}[91m", "").replace("\u{1b}[0m", "");
                if let Some(step) = text.lines().find(|line| line.starts_with("Step ")) {
                    (listener.0)(step);
                }
                printed.extend(
                    text.lines().map(str::trim_end).filter(|line| !line.is_empty()).map(str::to_owned),
                );
                printed.drain(..printed.len().saturating_sub(TOLD));
            }
            Err(error) => return Err(Failed { printed, error }),
        }
    }
    Ok(())
}

impl Failed {
    /// What it printed, the reason last; without any value that was filled in.
    fn explained(self, resolver: &Resolver<'_>) -> EngineError {
        let error = fail(resolver.doing)(self.error);
        let reason = error.source.as_ref().map(ToString::to_string);
        let said: Vec<String> = self.printed.into_iter().chain(reason).collect();
        error.because(resolver.scrub(&said.join("\n")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_context_is_a_directory_or_something_that_the_engine_fetches() {
        let remote = ["https://example.org/app.git#main", "git@example.org:app", "github.com/some/app"];
        assert!(remote.iter().all(|context| is_remote(context)));
        assert!(!is_remote("/srv/app") && !is_remote("."));
    }

    #[test]
    fn each_host_is_asked_for_by_itself() {
        let hosts = ["up=host-gateway".to_owned(), "six=::1".to_owned()];
        assert_eq!(more_hosts(&hosts), "&extrahosts=up%3Ahost-gateway&extrahosts=six%3A%3A%3A1");
    }
}
