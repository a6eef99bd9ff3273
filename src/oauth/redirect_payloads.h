#pragma once

// For tests: addresses that lead elsewhere than a registered URI says.

#include <set>
#include <string>
#include <vector>

namespace mcp_oauth {

// Ways to make a browser, or a careless reader, go elsewhere than a registered URI says. Families of payloads
// are multiplied out, so that each confusion stands in every place where it can stand.
inline constexpr const char* trusted_host = "client.example";
inline constexpr const char* registered_web = "https://client.example/callback";
inline constexpr const char* registered_loopback = "http://127.0.0.1/callback";
inline constexpr const char* registered_localhost = "http://localhost/callback";
inline constexpr const char* registered_application = "cursor://anysphere.cursor-mcp/oauth/callback";

inline std::vector<std::string> foreign_hosts() {
  return {"evil.example",
          "evil.example.",
          "client.example.evil.example",
          "evil-client.example",
          "clientXexample",
          "client.example%2eevil.example",
          "client.example%00.evil.example",
          "client.example%09.evil.example",
          "evil%E3%80%82example",
          "xn--clint-esa.example",
          "169.254.169.254",
          "2130706434",
          "0x7f000001.evil.example",
          "[::ffff:169.254.169.254]",
          "[fe80::1%25eth0]"};
}

// The host of a URI is foreign, however much of the trusted one it shows.
inline std::vector<std::string> confused_authorities() {
  std::vector<std::string> all;
  for (const auto& evil : foreign_hosts()) {
    std::string trusted = trusted_host;
    for (const auto& authority :
         {evil, trusted + "@" + evil, trusted + ":443@" + evil, trusted + "%40" + evil,
          trusted + "\\@" + evil, trusted + "\\" + evil, trusted + ".\t@" + evil, trusted + "%5c@" + evil,
          trusted + "&@" + evil + "#", evil + "#@" + trusted, evil + "?@" + trusted, evil + "\\." + trusted,
          evil + "/." + trusted, evil + "%2f." + trusted, evil + "%23." + trusted, evil + ";" + trusted,
          evil + ":80#@" + trusted}) {
      all.push_back(authority);
    }
  }
  return all;
}

inline std::vector<std::string> web_payloads() {
  std::vector<std::string> all;
  for (const auto& authority : confused_authorities()) {
    for (std::string before :
         {"https://", "http://", "//", "https:/", "https:", "https:\\\\", "https:///", "https://\t"}) {
      all.push_back(before + authority + "/callback");
    }
  }
  return all;
}

inline std::vector<std::string> script_payloads() {
  std::vector<std::string> all;
  for (std::string scheme : {"javascript",
                             "JavaScript",
                             "jAvAsCrIpT",
                             "java\tscript",
                             "java\nscript",
                             "java\r\nscript",
                             "\x01javascript",
                             " javascript",
                             "\tjavascript",
                             "javascript\t",
                             "java%0ascript",
                             "javascript%3a",
                             "data",
                             "DATA",
                             "vbscript",
                             "blob",
                             "file",
                             "filesystem",
                             "view-source",
                             "about",
                             "ws",
                             "wss",
                             "feed:javascript",
                             "jar:https",
                             "view-source:javascript"}) {
    for (std::string body :
         {":alert(1)", "://client.example/%0aalert(1)", ":/*https://client.example/callback*/alert(1)",
          ":text/html,<script>alert(1)</script>", ":text/html;base64,PHNjcmlwdD4=",
          "://client.example/callback", ":///etc/passwd", ":https://client.example/callback", ":/callback"}) {
      all.push_back(scheme + body);
    }
  }
  return all;
}

// Changes of a registered URI that a lenient comparison lets pass.
inline std::vector<std::string> changed(const std::string& registered) {
  std::vector<std::string> all;
  for (std::string tail : {"/",
                           "//",
                           "/..",
                           "/../evil",
                           "/..;/evil",
                           "/%2e%2e/evil",
                           "/%2e%2e%2fevil",
                           "..",
                           ".evil",
                           "%00",
                           "%20",
                           " ",
                           "\t",
                           "\n",
                           "\r\nLocation: https://evil.example",
                           "?next=//evil.example",
                           "?",
                           "#",
                           "#@evil.example",
                           ";@evil.example",
                           "@evil.example",
                           "%0d%0a",
                           "%09",
                           "&x=y",
                           "\\",
                           "\\..\\evil",
                           "*",
                           "%2f..%2fevil",
                           "\xE2\x80\xAE",
                           "\xC2\xA0",
                           "?code=stolen"}) {
    all.push_back(registered + tail);
  }
  for (std::string head :
       {" ", "\t", "\n", "\x01", "//", "/", "/\\", "\\/", "x", "url=", "%20", "https://evil.example/?",
        "https://evil.example#", "https://evil.example\\", "view-source:", "javascript:"}) {
    all.push_back(head + registered);
  }
  all.push_back(registered.substr(0, registered.size() - 1));
  auto colon = registered.find(':');
  all.push_back(registered.substr(0, colon) + "s" + registered.substr(colon));
  all.push_back(registered.substr(colon + 1));
  return all;
}

inline std::vector<std::string> loopback_payloads() {
  std::vector<std::string> all;
  for (std::string host : {"127.0.0.1.evil.example",
                           "127.0.0.1.nip.io",
                           "localhost.evil.example",
                           "localhost.",
                           "localtest.me",
                           "127.1",
                           "127.0.1",
                           "0177.0.0.1",
                           "0x7f.0.0.1",
                           "0x7f000001",
                           "2130706433",
                           "017700000001",
                           "127.0.0.1.",
                           "0.0.0.0",
                           "0",
                           "[::]",
                           "[::ffff:127.0.0.1]",
                           "[0:0:0:0:0:0:0:1%25lo]",
                           "[::1].evil.example",
                           "127.0.0.256",
                           "127.0.0.1%2eevil.example",
                           "evil@127.0.0.1",
                           "127.0.0.1@evil.example",
                           "localhost@evil.example",
                           "127.0.0.1:80@evil.example",
                           "localhost%00.evil.example",
                           "localhost\\.evil.example",
                           "\xE2\x91\xA0\xE2\x91\xA1\xE2\x91\xA6.0.0.1",
                           "loc\xC3\xA0lhost",
                           "[::1"}) {
    for (std::string port :
         {"", ":8080", ":", ":0", ":65536", ":80@evil.example", ":-1", ":8080.evil.example"}) {
      all.push_back("http://" + host + port + "/callback");
    }
  }
  return all;
}

// What makes a path of ours lead elsewhere when it is followed as it stands.
inline std::vector<std::string> path_payloads() {
  std::vector<std::string> all;
  for (std::string before : {"//",
                             "/\\",
                             "\\\\",
                             "\\/",
                             "///",
                             "////",
                             "/\t/",
                             "/\n/",
                             "/\r\n/",
                             "\t//",
                             " //",
                             "\x01//",
                             "/%09/",
                             "/%0a/",
                             "/%20/",
                             "/%2f",
                             "/%5c",
                             "%2f%2f",
                             "%5c%5c",
                             "%252f%252f",
                             "/%252f",
                             "/ /",
                             "/\x0b/",
                             "/\xC2\xA0/",
                             "/\xE3\x80\x80/",
                             "/\xE2\x80\x8B/",
                             "/./",
                             "/.//",
                             "/..//",
                             "/%2e%2e//",
                             "/;//",
                             "/?//",
                             "//;@",
                             "//client.example@",
                             "//client.example:443@",
                             "//client.example%40",
                             "//client.example%2f@",
                             "https:",
                             "https:/",
                             "https:\\",
                             "hTTps://",
                             "https://https://",
                             "https://client.example@",
                             "https://client.example\\@",
                             "https://client.example%5c@",
                             "http:",
                             "http:\t//",
                             "@",
                             ".",
                             "?next=//",
                             "#//",
                             "//\xEF\xBC\x8F",
                             "/\xEF\xBC\x8F",
                             "/\xEF\xBC\xBC"}) {
    for (std::string host : {"evil.example", "evil%E3%80%82example",
                             "evil\xE3\x80\x82"
                             "example",
                             "\xEF\xBD\x85vil.example", "3232235777", "[::ffff:a9fe:a9fe]"}) {
      for (std::string after : {"", "/", "/..", "/callback", "?client.example", "#client.example", ":80"}) {
        all.push_back(before + host + after);
      }
    }
  }
  return all;
}

// All of them, each once.
inline std::vector<std::string> every_payload() {
  std::set<std::string> all;
  for (const auto& family :
       {web_payloads(), script_payloads(), loopback_payloads(), path_payloads(), changed(registered_web),
        changed(registered_loopback), changed(registered_localhost), changed(registered_application)}) {
    all.insert(family.begin(), family.end());
  }
  return {all.begin(), all.end()};
}

}  // namespace mcp_oauth
