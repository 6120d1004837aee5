import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;

/** Sends the same reading twice with the JDK's own client, as it comes: on plain HTTP it offers h2c with every request. */
class Put {
  public static void main(String[] arguments) throws Exception {
    var client = HttpClient.newHttpClient();
    var body = HttpRequest.BodyPublishers.ofString(arguments[1]);
    var request = HttpRequest.newBuilder(URI.create(arguments[0])).header("Content-Type", "application/json").PUT(body).build();
    for (int time = 0; time < 2; time++) {
      HttpResponse<String> answer = client.send(request, HttpResponse.BodyHandlers.ofString());
      System.out.println(answer.statusCode() + " " + answer.body().strip());
    }
  }
}
