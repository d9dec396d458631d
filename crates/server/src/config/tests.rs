use super::*;

fn args(flags: ServeArgs) -> Result<Config, ConfigError> {
    Config::resolve(flags, Settings::default(), Secrets::default())
}

fn refusal(flags: StoreFlags) -> String {
    args(flags.into()).unwrap_err().to_string()
}

#[test]
fn nothing_given_means_the_documented_defaults() {
    let config = args(ServeArgs::default()).unwrap();
    assert_eq!(config.data_dir, PathBuf::from("longshore-data"));
    assert_eq!(config.listen, "127.0.0.1:5050");
    assert!(config.account.is_none());
    assert_eq!(config.limits.open_uploads.get(), 1000);
    assert_eq!(config.region.as_str(), "us-east-1");
    assert_eq!(config.drain, Duration::from_secs(30));
    assert!(config.trusted_proxies.is_empty() && config.root.is_none() && config.tls.is_none());
    assert!(matches!(config.master_key, MasterKeySource::DataDir));
}

#[test]
fn a_flag_beats_the_file() {
    let file: Settings =
        toml::from_str("region = 'eu-west-1'\naccount = '123456789012'\ntrusted-proxies = ['::1']")
            .unwrap();
    let flags = ServeArgs {
        region: Some("eu-central-1".to_owned()),
        ..ServeArgs::default()
    };
    let config = Config::resolve(flags, file, Secrets::default()).unwrap();
    assert_eq!(config.region.as_str(), "eu-central-1");
    assert_eq!(config.account.unwrap().as_str(), "123456789012");
    assert_eq!(config.trusted_proxies.len(), 1);
}

#[test]
fn a_file_with_an_unknown_setting_is_refused() {
    assert!(toml::from_str::<Settings>("regoin = 'eu-west-1'").is_err());
}

#[test]
fn the_flag_then_the_environment_then_the_file_name_the_master_key() {
    let (flag, file) = (Some(PathBuf::from("flag")), Some(PathBuf::from("file")));
    let text = Secrets {
        master_key: Some("text".to_owned()),
        ..Secrets::default()
    };
    assert!(
        matches!(text.master_key_source(flag, file.clone()), MasterKeySource::File(path) if path.ends_with("flag"))
    );
    assert!(matches!(
        text.master_key_source(None, file.clone()),
        MasterKeySource::Text(_)
    ));
    assert!(
        matches!(Secrets::default().master_key_source(None, file), MasterKeySource::File(path) if path.ends_with("file"))
    );
    assert!(!format!("{:?}", MasterKeySource::Text("secret".to_owned())).contains("secret"));
}

#[test]
fn stores_that_are_not_built_are_refused_without_their_password() {
    let metadata = Some("postgres://user:hidden@db/longshore".to_owned());
    let message = refusal(StoreFlags {
        metadata,
        ..StoreFlags::default()
    });
    assert_eq!(
        message,
        "a master key is made only where everything is stored in the data directory: give yours with --master-key-file or LONGSHORE_MASTER_KEY"
    );
    let message = refusal(StoreFlags {
        metadata: Some("mysql://user:hidden@db/longshore".to_owned()),
        ..StoreFlags::default()
    });
    assert_eq!(
        message,
        "`--metadata` cannot be `mysql`: it is `sqlite` or `postgres://USER:PASSWORD@HOST/DATABASE`"
    );
    let message = refusal(StoreFlags {
        blobs: Some("gs://user:hidden@bucket".to_owned()),
        ..StoreFlags::default()
    });
    assert_eq!(
        message,
        "`--blobs` cannot be `gs`: it is `file`, `file:///DIRECTORY` or `s3://BUCKET/PREFIX`"
    );
}

#[test]
fn blobs_in_s3_need_a_master_key_of_the_operators() {
    let with = |blobs: &str, master_key: Option<&str>| {
        let flags = StoreFlags {
            blobs: Some(blobs.to_owned()),
            ..StoreFlags::default()
        };
        let secrets = Secrets {
            master_key: master_key.map(str::to_owned),
            s3: S3Settings {
                secret_access_key: Some("hidden".to_owned()),
                ..S3Settings::default()
            },
            ..Secrets::default()
        };
        Config::resolve(flags.into(), Settings::default(), secrets)
    };
    let config = with("file", None).unwrap();
    assert!(config.blobs.is_in(&config.data_dir));
    for elsewhere in ["s3://bucket/prefix", "file:///mnt/blobs"] {
        let refused = with(elsewhere, None).unwrap_err().to_string();
        assert!(refused.contains("--master-key-file"), "{refused}");
    }
    for (url, bucket, prefix) in [
        ("s3://bucket", "bucket", ""),
        ("s3://bucket/", "bucket", ""),
        ("s3://bucket/a/b/", "bucket", "a/b"),
    ] {
        let config = with(url, Some("key")).unwrap();
        assert!(!format!("{config:?}").contains("hidden"));
        let BlobsUrl::S3(options) = config.blobs else {
            panic!("{url} is a bucket");
        };
        assert_eq!(
            (options.bucket.as_str(), options.prefix.as_str()),
            (bucket, prefix)
        );
    }
}

#[test]
fn blobs_of_archived_images_may_lie_anywhere() {
    let archive = |url: &str| {
        let flags = StoreFlags {
            archive_blobs: Some(url.to_owned()),
            ..StoreFlags::default()
        };
        args(flags.into())
    };
    let config = archive("file:///mnt/archive").unwrap();
    let place = config.archive_blobs.unwrap();
    assert!(place.is_in(std::path::Path::new("/mnt/archive")));
    assert!(archive("s3://bucket").is_ok());
    for (url, shown) in [
        ("ftp://user:hidden@host/a", "ftp"),
        ("file://host/a", "file"),
        ("/mnt/archive", "/mnt/archive"),
        ("", ""),
    ] {
        assert_eq!(
            archive(url).unwrap_err().to_string(),
            format!(
                "`--archive-blobs` cannot be `{shown}`: it is `file`, `file:///DIRECTORY` or `s3://BUCKET/PREFIX`"
            )
        );
    }
}

#[test]
fn a_rate_quota_beats_the_set() {
    let with = |quotas: Option<&str>, given: &[&str]| {
        args(ServeArgs {
            quotas: quotas.map(str::to_owned),
            rate_quotas: Some(given.iter().map(|text| (*text).to_owned()).collect()),
            ..ServeArgs::default()
        })
    };
    assert!(with(None, &[]).unwrap().rate_quotas.is_empty());
    let put = "PutImage=1".parse().unwrap();
    assert_eq!(with(None, &["PutImage=1"]).unwrap().rate_quotas, [put]);
    let quotas = with(Some("ecr"), &["PutImage=1"]).unwrap().rate_quotas;
    assert_eq!((quotas.len(), quotas.last()), (17, Some(&put)));
    assert_eq!(
        with(Some("gcr"), &[]).unwrap_err().to_string(),
        "`--quotas` cannot be `gcr`: the only set is `ecr`"
    );
    assert_eq!(
        with(None, &["PutImage"]).unwrap_err().to_string(),
        "`--rate-quota` cannot be `PutImage`: it is not `ACTION=RATE[:BURST][/principal|/network]`, such as `PutImage=10:20`, or `ACTION=off`"
    );
}

#[test]
fn malformed_values_are_refused() {
    let text = |text: &str| Some(text.to_owned());
    for flags in [
        ServeArgs {
            account: text("1"),
            ..ServeArgs::default()
        },
        ServeArgs {
            region: text("EU"),
            ..ServeArgs::default()
        },
        ServeArgs {
            region: text(""),
            ..ServeArgs::default()
        },
        ServeArgs {
            domain: text("a:80"),
            ..ServeArgs::default()
        },
        ServeArgs {
            domain: text(""),
            ..ServeArgs::default()
        },
        ServeArgs {
            tls_cert: Some("cert.pem".into()),
            ..ServeArgs::default()
        },
        ServeArgs {
            trusted_proxies: Some(vec!["10.0.0.0/99".to_owned()]),
            ..ServeArgs::default()
        },
    ] {
        let shown = format!("{flags:?}");
        assert!(args(flags).is_err(), "{shown}");
    }
}

#[test]
fn the_administrators_key_is_whole_and_pastable_or_refused() {
    let root = |id: Option<&str>, secret: Option<&str>| {
        let secrets = Secrets {
            root_id: id.map(str::to_owned),
            root_secret: secret.map(str::to_owned),
            ..Secrets::default()
        };
        secrets.root()
    };
    assert!(root(None, None).unwrap().is_none());
    assert_eq!(
        root(Some("AKIAEXAMPLE"), Some("wJalr/+=long"))
            .unwrap()
            .unwrap()
            .secret,
        "wJalr/+=long"
    );
    assert!(root(Some("AKIAEXAMPLE"), None).is_err());
    assert!(root(Some("a b"), Some("longenough")).is_err());
    assert!(root(Some("AKIAEXAMPLE"), Some("$(reboot)")).is_err());
    assert!(root(Some("AKIAEXAMPLE"), Some("short")).is_err());
}

#[test]
fn a_count_quota_beats_the_set() {
    let with = |quotas: Option<&str>, given: &[&str]| {
        args(ServeArgs {
            quotas: quotas.map(str::to_owned),
            count_quotas: Some(given.iter().map(|text| (*text).to_owned()).collect()),
            ..ServeArgs::default()
        })
    };
    assert!(with(None, &[]).unwrap().count_quotas.is_empty());
    let quotas = with(Some("ecr"), &["repositories=7"]).unwrap().count_quotas;
    assert_eq!((quotas.len(), quotas.last().unwrap().limit), (11, Some(7)));
    for (given, why) in [
        ("repositories=many", "it is not `NAME=COUNT`"),
        (
            "images=1",
            "the quotas are `repositories`, `images-per-repository`",
        ),
    ] {
        let refused = with(None, &[given]).unwrap_err().to_string();
        assert!(
            refused.starts_with(&format!("`--quota` cannot be `{given}`: {why}")),
            "{refused}"
        );
    }
}

#[test]
fn the_lifecycle_interval_is_at_most_a_day() {
    let interval = |text: &str| {
        args(ServeArgs {
            lifecycle_interval: Some(text.to_owned()),
            ..ServeArgs::default()
        })
    };
    for (text, seconds) in [("1s", 1), ("90m", 5400), ("24h", 86_400)] {
        let expected = Duration::from_secs(seconds);
        assert_eq!(interval(text).unwrap().lifecycle_interval, expected);
    }
    for text in [
        "",
        "0s",
        "12",
        "h",
        "-1h",
        "1d",
        "25h",
        "1 h",
        "99999999999999999999h",
    ] {
        let refused = interval(text).unwrap_err().to_string();
        assert!(refused.contains("--lifecycle-interval"), "{refused}");
    }
    let default = args(ServeArgs::default()).unwrap();
    assert_eq!(default.lifecycle_interval, Duration::from_hours(12));
}
