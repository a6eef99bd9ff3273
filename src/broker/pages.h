#pragma once

#include "base/error.h"
#include "base/http.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mcp_oauth {

// The pages that people see. Every value is escaped for HTML; there is no script and nothing from elsewhere.

struct consent_page {
  std::string client_name;
  std::string client_host;     // of a client id that is a URL; "" otherwise
  bool configured = false;     // the operator wrote this client into the configuration
  std::string redirect_host;   // or the private-use scheme
  bool this_computer = false;  // the redirect leads to a program here, which nothing identifies
  std::string resource;
  std::vector<std::string> scopes;
  std::string signed_in_as;
  std::vector<std::pair<std::string, std::string>> choices;  // provider name, words on its button
  std::string other_account;  // the provider to sign in anew at; "": no such button
  std::string request;        // sealed
};

struct sign_in_page {
  std::string client_name;
  std::string login;
  std::string form;  // sealed
  std::string user;
  std::string message;
};

struct new_password_page {
  std::string login;
  std::string form;  // sealed
  std::string user;
  std::string message;
};

struct error_page {
  errc code = errc::internal;
  std::string request_id;
  std::string return_to;    // a link that takes the error to the client; "": none
  std::string return_host;  // whom it leads to
};

http_response to_response(const consent_page& page);
http_response to_response(const sign_in_page& page, int status = 200);
http_response to_response(const new_password_page& page, int status = 200);
http_response to_response(const error_page& page);
http_response sign_out_page(std::string_view signed_in_as, std::string_view form);
http_response signed_out_page();

}  // namespace mcp_oauth
