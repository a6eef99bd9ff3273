#include "config/yaml.h"

#include <string>

#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

std::string repeat(std::string_view piece, int times) {
  std::string text;
  for (int i = 0; i < times; ++i) text += piece;
  return text;
}

TEST(Yaml, IsATreeThatKnowsItsLines) {
  auto root = parse_yaml("# first\nhost: 127.0.0.1\nlist:\n  - 1\n  - 'two'\nmap: {a: ~, b: \"\"}\n");
  ASSERT_TRUE(root);
  ASSERT_EQ(root->is, yaml_node::kind::map);
  EXPECT_EQ(root->names, (std::vector<std::string>{"host", "list", "map"}));
  EXPECT_EQ(root->name_lines, (std::vector<int>{2, 3, 6}));
  EXPECT_EQ(root->find("host")->text, "127.0.0.1");
  EXPECT_EQ(root->find("list")->items[1].text, "two");
  EXPECT_EQ(root->find("list")->items[1].line, 5);
  EXPECT_EQ(root->find("map")->find("a")->is, yaml_node::kind::null);
  EXPECT_EQ(root->find("map")->find("b")->is, yaml_node::kind::scalar);
  EXPECT_EQ(root->find("none"), nullptr);
}

TEST(Yaml, NothingIsNull) {
  for (const char* text : {"", "\n\n", "# only a comment\n", "---\n", "~", "\xEF\xBB\xBF"}) {
    auto root = parse_yaml(text);
    ASSERT_TRUE(root) << text;
    EXPECT_EQ(root->is, yaml_node::kind::null) << text;
  }
}

TEST(Yaml, HostileTextIsRefusedAndNeverQuoted) {
  struct row {
    const char* what;
    std::string text;
    int line;
    const char* reason;  // a part of it
  };
  const row rows[] = {
      {"NUL", std::string("a: b\nc: \0", 9), 2, "control character"},
      {"escape", "a: \x1b[31m", 1, "control character"},
      {"not UTF-8", "a: \xff\xfe", 0, "UTF-8"},
      {"UTF-16", std::string("\xff\xfe\x61\0", 4), 0, "UTF-8"},
      {"too large", "a: " + std::string(1024 * 1024, 'x'), 0, "1 MiB"},
      {"tab as indentation", "a:\n\tb: 1\n", 2, "a tab indents the line"},
      {"tab after a value", "a: 1\n\tb: 1\n", 2, "a tab indents the line"},
      {"deeper under a value", "host: s3cret\n  port: 1\n", 2, "indented deeper"},
      {"two colons", "a: 1\nb: s3cret: d\n", 2, "needs quotes"},
      {"between two levels", "a:\n  b: 1\n c: 2\n", 3, "fits no line above"},
      {"list between two levels", "a:\n  - 1\n - 2\n", 3, "fits no line above"},
      {"no blank after the colon", "a:s3cret\nb: 2\n", 2, "a blank after it"},
      {"alias", "a: *s3cret\n", 1, "aliases"},
      {"anchor", "a: &s3cret x\n", 1, "anchors"},
      {"anchor on a map", "a: &s3cret {b: 1}\n", 1, "anchors"},
      {"anchor on nothing", "a: &s3cret\n", 1, "anchors"},
      {"merge key", "a:\n  <<: {b: 1}\n", 2, "merge"},
      {"tag", "a: !!binary s3cret\n", 1, "tags"},
      {"own tag on a map", "a: !x {}\n", 1, "tags"},
      {"key twice", "a: 1\nb: 2\na: s3cret\n", 3, "first on line 1"},
      {"key twice below", "a:\n  b: 1\n  'b': 2\n", 3, "first on line 2"},
      {"map as key", "? {a: 1}\n: 2\n", 1, "a key must be text"},
      {"null as key", "~: 2\n", 1, "a key must be text"},
      {"two documents", "a: 1\n---\nb: 2\n", 0, "more than one"},
      {"open bracket", "a: [1, s3cret\n", 0, ""},
      {"open quote", "a: \"s3cret\n", 0, "EOF"},
      {"open quote before more", "a: 's3cret\nb: 1\n\n  \n", 0, "EOF"},
      {"quote that ends in a backslash", "a: \"s3cret\\\n", 0, ""},
      {"deep flow list", repeat("[", 500) + repeat("]", 500), 1, "deeper than 16"},
      {"open brackets", repeat("[\n", 5000), 1, ""},
      {"deep flow map", repeat("{a: ", 5000), 1, ""},
      {"deep block list", repeat("- ", 5000), 0, "deeper than 16"},
      {"very deep", repeat("[", 500'000), 1, ""},
      {"many values", "[" + repeat("a,", 60'000) + "]", 0, "50000"},
      {"bad escape", "a: \"\\s3cret\"\n", 1, ""},
      {"bad directive", "%YAML 9.9\n---\na: 1\n", 0, ""},
  };
  for (const auto& [what, text, line, reason] : rows) {
    SCOPED_TRACE(what);
    auto root = parse_yaml(text);
    ASSERT_FALSE(root);
    if (line > 0) {
      EXPECT_EQ(root.error().line, line);
    }
    EXPECT_NE(root.error().reason.find(reason), std::string::npos) << root.error().reason;
    EXPECT_FALSE(root.error().reason.empty());
    EXPECT_EQ(root.error().reason.find("s3cret"), std::string::npos) << root.error().reason;
  }
}

TEST(Yaml, BoundsAreNotBelowWhatTheySay) {
  EXPECT_TRUE(parse_yaml("a: " + std::string(1024 * 1024 - 3, 'x')));
  EXPECT_TRUE(parse_yaml(repeat("[", 16) + repeat("]", 16)));
  EXPECT_FALSE(parse_yaml(repeat("[", 17) + repeat("]", 17)));
}

}  // namespace
}  // namespace mcp_oauth
