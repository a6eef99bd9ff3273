#include "oauth/endpoint_form.h"

#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

http_request post(std::string body) {
  http_request request;
  request.method = "POST";
  request.fields.add("Content-Type", "application/x-www-form-urlencoded");
  request.body = std::move(body);
  return request;
}

errc refused(const http_request& request) {
  auto parsed = parse_endpoint_form(request);
  EXPECT_FALSE(parsed);
  return parsed ? errc::count_ : parsed.error().code;
}

TEST(EndpointForm, IsReadFromThePost) {
  auto parsed = parse_endpoint_form(post("a=1&b=x%20y+z"));
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->find("b"), "x y z");
}

TEST(EndpointForm, TakesOnlyPost) {
  for (auto method : {"GET", "PUT", "post", "HEAD", ""}) {
    auto request = post("a=1");
    request.method = method;
    EXPECT_EQ(refused(request), errc::http_method_refused) << method;
  }
}

TEST(EndpointForm, TakesOnlyForms) {
  for (auto type :
       {"application/x-www-form-urlencoded;charset=UTF-8", "Application/X-WWW-Form-Urlencoded",
        "application/x-www-form-urlencoded ; charset=\"utf-8\"", "application/x-www-form-urlencoded;x=y"}) {
    auto request = post("a=1");
    request.fields.set("Content-Type", type);
    EXPECT_TRUE(parse_endpoint_form(request)) << type;
  }
  for (auto type :
       {"", "application/json", "text/plain", "multipart/form-data", "application/x-www-form-urlencodedx",
        "application/x-www-form-urlencoded; charset=iso-8859-1",
        "application/x-www-form-urlencoded;charset=utf-16"}) {
    auto request = post("a=1");
    request.fields.set("Content-Type", type);
    EXPECT_EQ(refused(request), errc::http_media_type_unsupported) << type;
  }
  auto without = post("a=1");
  without.fields.erase("content-type");
  EXPECT_EQ(refused(without), errc::http_media_type_unsupported);
  auto twice = post("a=1");
  twice.fields.add("content-type", "application/x-www-form-urlencoded");
  EXPECT_EQ(refused(twice), errc::http_media_type_unsupported);
}

TEST(EndpointForm, IsBounded) {
  EXPECT_TRUE(parse_endpoint_form(post("a=" + std::string(64 * 1024 - 2, 'x'))));
  EXPECT_EQ(refused(post("a=" + std::string(64 * 1024 - 1, 'x'))), errc::body_too_large);
}

TEST(EndpointForm, RefusesBrokenEncoding) {
  for (auto body : {"a=%", "a=%zz", "a=%ff", "a=%00", "%c0%af=1", "a=\xff"}) {
    EXPECT_EQ(refused(post(body)), errc::parameter_malformed) << body;
  }
}

TEST(EndpointForm, RefusesCredentialsInTheQuery) {
  for (auto query : {"client_secret=s", "code=c", "refresh_token=r", "token=t", "code_verifier=v",
                     "client_assertion=a", "password=p", "x=1&co%64e=c", "x=%"}) {
    auto request = post("a=1");
    request.query = query;
    EXPECT_EQ(refused(request), errc::parameter_malformed) << query;
  }
  auto harmless = post("a=1");
  harmless.query = "tenant=7&code=";
  EXPECT_TRUE(parse_endpoint_form(harmless));
}

TEST(EndpointForm, JudgesEachParameter) {
  form f;
  f.add("one", "1");
  f.add("two", "1");
  f.add("two", "2");
  f.add("empty", "");
  EXPECT_EQ(*required_parameter(f, "one", 1), "1");
  EXPECT_EQ(required_parameter(f, "one", 0).error().code, errc::parameter_too_long);
  EXPECT_EQ(required_parameter(f, "two", 9).error().code, errc::parameter_repeated);
  EXPECT_EQ(required_parameter(f, "empty", 9).error().code, errc::parameter_missing);
  EXPECT_EQ(required_parameter(f, "absent", 9).error().code, errc::parameter_missing);
  EXPECT_EQ(required_parameter(f, "absent", 9).error().detail, "absent");
  EXPECT_EQ(*optional_parameter(f, "empty", 9), std::nullopt);
  EXPECT_EQ(optional_parameter(f, "two", 9).error().code, errc::parameter_repeated);
}

}  // namespace
}  // namespace mcp_oauth
