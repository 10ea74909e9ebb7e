//! Stands in for the real binary in side containers: compiled by the test with nothing but the standard library, and
//! linked like the real one, so that its interpreter and libraries have to be found.

use std::{
    io::{copy, stderr, stdin, stdout, Write},
    net::{Shutdown, TcpStream},
    process::exit,
    thread,
};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["side", "echo"] => {
            copy(&mut stdin(), &mut stdout()).unwrap();
            stderr().write_all(b"that was all").unwrap();
            exit(7);
        }
        ["side", "write", path] => {
            copy(&mut stdin(), &mut std::fs::File::create(path).unwrap()).unwrap();
        }
        ["side", "read", path] => {
            copy(&mut std::fs::File::open(path).unwrap(), &mut stdout()).unwrap();
        }
        ["side", "hang"] => loop {
            println!("hanging");
            thread::sleep(std::time::Duration::from_secs(600));
        },
        ["side", "proxy", host, port] => proxy(&format!("{host}:{port}")),
        _ => exit(2),
    }
}

fn proxy(to: &str) {
    let stream = match TcpStream::connect(to) {
        Ok(stream) => stream,
        Err(error) => {
            eprintln!("{error}");
            exit(1);
        }
    };
    eprintln!("connected");
    let mut far = stream.try_clone().unwrap();
    thread::spawn(move || {
        let _ = copy(&mut stdin(), &mut far);
        let _ = far.shutdown(Shutdown::Write);
    });
    let mut near = stream;
    let mut out = stdout();
    let mut buffer = [0; 4096];
    while let Ok(read @ 1..) = std::io::Read::read(&mut near, &mut buffer) {
        out.write_all(&buffer[..read]).unwrap();
        out.flush().unwrap();
    }
}
